"""Whatever an alert says: in every channel it stays text."""

import email
import email.policy
import json
import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from agent.app.announcing import Announcements
from agent.incidents.decision import Reason
from agent.incidents.incident import Incident, State
from agent.itsm.digests import Collected, Digest
from agent.itsm.rota import Rota
from agent.notify.chat import quoted
from agent.notify.contract import Notice, document
from agent.notify.mail import Post, _message
from agent.tickets.plaintext import HIDDEN
from agent.tickets.wording import notice
from collectors.sample import Origin, labels

HEADERS = {
    "Subject",
    "From",
    "To",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Priority",
    "Content-Type",
    "Content-Transfer-Encoding",
    "MIME-Version",
}
PIECES = ("\r\n", "\n", "Bcc: a@b.c", "@channel", "<!here>", "```", "\u202e", "\x1b[2J", "\x00", "&amp;", "[x](y)", "é")
ANYTHING = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=20)), max_size=8).map("".join)
HOSTS = st.one_of(st.just("web1"), ANYTHING)


def incident(name, value):
    return Incident(
        id="inc-7",
        key="k",
        host="h",
        alertname=name,
        rule=value,
        rule_version="1",
        labels=labels(name=value),
        annotations=labels(summary=value, description=f"{name}\n{value}"),
        severity=value,
        priority="P1",
        origin=Origin.LOCAL,
        state=State.ESCALATED,
        escalated_reason=value,
        acknowledged_by=name,
        opened_at=1.8e9,
        updated_at=1.8e9,
    )


def harmless(subject, text):
    """Check what every channel makes of it."""
    found = Notice(key="k", subject=subject, text=text, priority="P1", reason="opened")
    message = _message(Post(host="h", port=25, tls="off", sender="a@b.c", to=("d@e.f",)), found, ("d@e.f",))
    read = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
    assert set(read.keys()) <= HEADERS
    assert len(read.keys()) == len(set(read.keys()))
    assert (read["To"], read["From"], read.get_content_type()) == ("d@e.f", "a@b.c", "text/plain")
    chat = quoted(f"{subject}\n\n{text}")
    assert (chat[:4], chat[-4:], chat.count("```")) == ("```\n", "\n```", 2)
    assert re.search(r"@(?!\u200b)|[<>]", chat) is None
    assert json.loads(document(found))["text"] == text
    assert "\n" not in subject
    assert {unicodedata.category(character) for character in (subject + text).replace("\n", "")} & HIDDEN == set()


@given(name=ANYTHING, value=ANYTHING, host=HOSTS)
def test_a_notice_is_harmless_in_every_channel(name, value, host):
    for technical in (True, False):
        for reason in (Reason.OPENED, Reason.ACKNOWLEDGED, Reason.PAGED):
            harmless(*notice(incident(name, value), host, reason, technical=technical))


@given(name=ANYTHING, value=ANYTHING, host=HOSTS)
def test_hand_overs_and_digests_are_harmless_in_every_channel(name, value, host):
    announce = Announcements(host, {}, {})
    rota = Rota(name="web", team="web", zone=None, layers=())
    told = announce.hand_over(rota, "ann", None, [incident(name, value)], "ann@mail")
    harmless(told["subject"], told["text"])
    subject, text = notice(incident(name, value), host, Reason.OPENED, technical=True)
    kept = Collected(
        incident_id="i",
        priority="P4",
        first_at=1.8e9,
        last_at=1.8e9,
        times=2,
        subject=subject,
        text=text.split("\n")[0],
    )
    told = announce.digest(Digest(name="d", times=(0,)), [kept], "mail")
    harmless(told["subject"], told["text"])
