"""What people read in a ticket."""

from dataclasses import replace

import pytest

from agent.incidents.decision import Reason
from agent.incidents.incident import Approval, Attempt, Awaiting, Incident, Outcome, Page, Proposal, Resolution, State
from agent.itsm.articles import Advice
from agent.itsm.changes import change_id
from agent.itsm.clocks import Clock, Kind
from agent.tickets.wording import (
    ADVICE_LENGTH,
    BODY_LENGTH,
    TITLE_LENGTH,
    correlation,
    draft,
    notice,
    title,
    update_for,
)
from collectors.sample import Origin, labels
from remediations.standing import Proof

STARTED = Attempt(
    run_id="run-1",
    remediation="restart-web",
    action="restart_unit",
    resource="unit:nginx.service",
    argv=("systemctl", "restart", "--", "nginx.service"),
    step=0,
    started_at=1_800_000_060.0,
)
FAILED = replace(STARTED, outcome=Outcome.FAILED, verified=False, detail="canary output")
HELPED = replace(STARTED, outcome=Outcome.SUCCEEDED, verified=True, step=1)


def incident(**changes) -> Incident:
    fields = {
        "id": "inc-7",
        "key": "k",
        "host": "host-1",
        "alertname": "SystemdUnitFailed",
        "rule": "systemd.yml:SystemdUnitFailed",
        "rule_version": "1",
        "labels": labels(name="nginx.service", service="shop", severity="error"),
        "annotations": labels(summary="The web server is down.", description="It ended.\nCustomers see errors."),
        "severity": "error",
        "priority": "P2",
        "origin": Origin.LOCAL,
        "state": State.OPEN,
        "opened_at": 1_800_000_000.0,
        "updated_at": 1_800_000_000.0,
        "active_at": 1_799_999_990.0,
        "value": 1.0,
    }
    return Incident(**(fields | changes))


def test_a_title_says_how_urgent_what_and_where():
    assert title(incident(), "web1") == "[P2] SystemdUnitFailed nginx.service on web1"
    assert title(incident(labels=()), "web1") == "[P2] SystemdUnitFailed on web1"
    assert title(incident(members=31), "web1") == "[P2] SystemdUnitFailed (31 incidents) on web1"


def test_the_body_begins_with_what_it_means_and_ends_with_the_facts():
    changed = "Change: {0} (paramedic change show {0})".format(change_id("run:run-1"))
    body = draft(incident(attempts=(FAILED, HELPED), refusals=("cool-down: wait until 10:00",)), "web1").body
    assert body == (
        "The web server is down.\n"
        "It ended.\n"
        "Customers see errors.\n"
        "\n"
        "Priority: P2 (severity error)\n"
        "Service: shop\n"
        "Host: web1\n"
        "Since: 2027-01-15 07:59:50 UTC\n"
        "Now: Open.\n"
        "\n"
        "Technical details\n"
        "Incident: inc-7\n"
        "Rule: systemd.yml:SystemdUnitFailed, value 1, alert firing\n"
        "Labels:\n"
        "  name: nginx.service\n"
        "  service: shop\n"
        "  severity: error\n"
        "Annotations:\n"
        "  description: It ended.\\x0aCustomers see errors.\n"
        "  summary: The web server is down.\n"
        "Actions:\n"
        "  2027-01-15 08:01:00 UTC restart-web, step 1: failed, verified: it did not help\n"
        "    systemctl restart -- nginx.service\n"
        f"    {changed}\n"
        "  2027-01-15 08:01:00 UTC restart-web, step 2: succeeded, verified: it helped\n"
        "    systemctl restart -- nginx.service\n"
        f"    {changed}\n"
        "Held back by:\n"
        "  cool-down: wait until 10:00"
    )


def test_a_ticket_names_the_change_of_each_action_and_of_what_waits_for_approval():
    approved = Approval(by="ann", via="rt", at=0.0, plan="d", asked="0123456789abcdef")
    asking, asked = waiting(), replace(STARTED, approval=approved)
    proposed = change_id("plan:0123456789abcdef")
    for text in (draft(asking, "web1").body, update_for(asking, Reason.APPROVAL_NEEDED, key="k").comment):
        assert f"Change: {proposed} (paramedic change show {proposed})" in text
    assert proposed in update_for(incident(attempts=(asked,)), Reason.ATTEMPT_SETTLED, key="k").comment
    plain = change_id("run:run-1")
    assert plain in update_for(incident(attempts=(HELPED,)), Reason.FIXED, key="k").comment
    assert plain not in notice(incident(attempts=(HELPED,)), "web1", Reason.FIXED, technical=False)[1]


def test_a_draft_carries_what_the_ticket_is_found_and_sorted_by():
    made = draft(incident(), "web1")
    assert made.correlation == correlation(incident()) == "host-1:inc-7"
    assert (made.priority, made.service, made.drill) == ("P2", "shop", False)


def test_a_drill_is_marked_in_title_body_and_comment():
    drill = incident(drill=True)
    made = draft(drill, "web1")
    assert made.drill
    assert made.title.startswith("DRILL [P2] ")
    assert made.body.startswith("DRILL. This is an exercise")
    assert update_for(drill, Reason.ATTEMPT_SETTLED, key="k").comment.startswith("DRILL. ")


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"state": State.VERIFYING, "attempts": (STARTED,)}, Reason.ATTEMPT_SETTLED, "will tell whether it helped"),
        ({"state": State.RESOLVED, "resolution": Resolution.FIXED}, Reason.FIXED, "an automatic action helped"),
        ({"state": State.RESOLVED, "resolution": Resolution.BY_ITSELF}, Reason.RESOLVED_BY_ITSELF, "without an action"),
        ({"state": State.CLOSED, "resolution": Resolution.RULE_REMOVED}, Reason.RULE_REMOVED, "rule that watched"),
        ({"state": State.ESCALATED, "escalated_reason": "3 of 3 attempts"}, Reason.EXHAUSTED, "(3 of 3 attempts)"),
        ({"reopened": 2}, Reason.REOPENED, "It is back (re-opened 2 times)"),
        ({}, Reason.NO_DATA, "No measurements arrive"),
        ({"would_run": ("touch", "a b")}, Reason.WOULD_RUN, "Would run, if it were allowed to: touch 'a b'"),
    ],
)
def test_a_comment_says_what_happened(changes: dict[str, object], reason: Reason, words: str):
    update = update_for(incident(**changes), reason, key="inc-7:rt:update:4")
    assert words in update.comment
    assert (update.key, update.priority) == ("inc-7:rt:update:4", "P2")


def test_a_plan_that_is_only_proposed_says_who_may_let_it_run_and_how():
    made = Proposal(remediation="r", version="v1", plan="fedcba9876543210", digest="d", approvers=("ann",), at=0.0)
    proposed = incident(state=State.OPEN, would_run=("/bin/true",), proposal=made)
    lines = draft(proposed, "web1").body.splitlines()
    assert "May let it run once: ann" in lines
    assert any('"approve fedcba9876543210"' in line and '"reject fedcba9876543210"' in line for line in lines)
    for nobody in (replace(made, approvers=()), replace(made, proof=Proof.UNPROVEN)):
        assert "May let it run" not in draft(replace(proposed, proposal=nobody), "web1").body


@pytest.mark.parametrize("state", State)
def test_every_state_has_words(state: State):
    for resolution in (None, *Resolution):
        assert update_for(incident(state=state, resolution=resolution), Reason.UPDATED, key="k").comment


def test_hostile_labels_make_no_lines_of_their_own_and_hide_nothing():
    hostile = labels(name="x\n\nPriority: P4\x1b[2J\u202e", service="s\nt")
    made = draft(incident(labels=hostile, alertname="A\nB"), "web1")
    assert "\n" not in made.title
    assert made.service == "s\\x0at"
    assert "Priority: P4" not in made.body.splitlines()
    assert "\x1b" not in made.title + made.body
    assert "\u202e" not in made.title + made.body


def test_a_label_of_a_megabyte_leaves_the_ticket_readable():
    huge = labels(**{f"label_{number}": "x" * 1_000_000 for number in range(40)})
    made = draft(incident(labels=huge, annotations=huge, alertname="y" * 1_000_000), "web1")
    assert len(made.title) <= TITLE_LENGTH
    assert len(made.body) <= BODY_LENGTH
    assert made.body.startswith("y")


def test_neither_secrets_nor_the_output_of_programs_get_into_a_ticket():
    argv = ("dump", "--password", "canary", "https://me:canary@db/")
    leaky = incident(
        labels=labels(name="token=canary"),
        annotations=labels(summary="password: canary", description="Authorization: Bearer canary-canary"),
        attempts=(replace(FAILED, argv=argv),),
        would_run=argv,
        refusals=("guard: api_key=canary",),
        escalated_reason="secret=canary",
        state=State.ESCALATED,
    )
    made = draft(leaky, "web1")
    assert "canary" not in made.title + made.body + update_for(leaky, Reason.EXHAUSTED, key="k").comment


def test_a_ticket_says_what_was_promised_and_how_that_stands():
    clocks = (
        Clock(kind=Kind.RESPOND, target=900.0, calendar="always", since=None, met=True),
        Clock(kind=Kind.RESOLVE, target=4 * 3600.0, calendar="office", since=0.0, breached_at=1.0),
    )
    body = draft(incident(clocks=clocks, service="books"), "web1").body
    assert "Service: books\n" in body
    assert "Promised to respond within 15m 0s: kept\n" in body
    assert "Promised to resolve within 4h 0m 0s of working time (office): broken\n" in body


def waiting(undo=(), **changes):
    asked = Awaiting(
        undo=undo,
        plan="0123456789abcdef",
        digest="d",
        argv=("systemctl", "restart", "--", "web.service"),
        approvers=("ann", "rt:bob"),
        asked_at=0.0,
        until=1_800_000_000.0,
        remind_at=0.0,
    )
    return incident(state=State.AWAITING_APPROVAL, awaiting=asked, **changes)


def test_a_ticket_says_what_waits_for_whom_until_when_and_how_to_approve_it():
    text = draft(waiting(), "web1").body
    assert "Waits for approval until 2027-01-15 08:00:00 UTC: systemctl restart -- web.service" in text
    assert "May approve: ann, rt:bob" in text
    assert '"approve 0123456789abcdef"' in text


def test_what_undoes_it_is_named_to_whoever_may_approve_it():
    assert (
        "undoes it if it makes things worse, too: /bin/undo 'it all'\n"
        in draft(waiting(("/bin/undo", "it all")), "web1").body
    )
    assert "undoes" not in draft(waiting(), "web1").body


def test_whoever_may_not_approve_is_told_so_on_the_ticket_and_cannot_steer_it():
    update = update_for(waiting(), Reason.APPROVAL_REFUSED, key="k", detail="rt:eve is not\x1b[2J among\nthe approvers")
    first, second, *_ = update.comment.splitlines()
    assert first == "A word on the plan that waits does not count:"
    assert second.startswith("rt:eve is not")
    assert "\x1b" not in update.comment


def test_a_reminder_says_how_long_there_is_left():
    update = update_for(waiting(), Reason.APPROVAL_REMINDER, key="k", detail="2700 s are left to approve")
    assert update.comment.startswith("Reminder: An action is ready and waits for approval.\n2700 s are left to approve")


def test_what_is_known_about_such_alerts_stands_before_the_technical_part():
    known = Advice(name="disk-busy", title="A disk has no rest", mend="1. Look.\n2. Wait.", own=True)
    body = draft(incident(), "web1", known).body
    text = (
        "\n\nArticle: A disk has no rest (paramedic article show disk-busy)\n1. Look.\n2. Wait.\n\nTechnical details\n"
    )
    assert text in body
    nearest = replace(known, own=False, others=(("a", "An article\n\x1b[2J"), ("b", "Another")))
    body = draft(incident(), "web1", nearest).body
    assert "\nNearest article: A disk" in body
    assert "\n2. Wait.\nSee also: An article\\x0a\\x1b[2J (paramedic article show a)\nSee also: Another (" in body


def test_a_hostile_or_endless_article_does_no_harm_in_a_ticket():
    known = Advice(name="a", title="t\n\x1b[2J", mend="password=canary \u202e\n" + "x" * 1_000_000, own=True)
    body = draft(incident(), "web1", known).body
    assert len(body) < ADVICE_LENGTH + 2_000
    assert "canary" not in body
    assert "\x1b" not in body
    assert "\u202e" not in body
    assert "Technical details" in body


def test_a_known_error_says_which_problem_it_is_and_what_helps_before_the_technical_part():
    known = incident(
        problem="problem-9",
        workaround="Empty the pool: shopctl drain\npassword=canary-3",
        cause="a leak in 6.2",
        permanent_fix="release 7",
    )
    before, _, after = draft(known, "web1").body.partition("Technical details")
    assert "It is one more of problem-9, which is not solved yet." in before
    assert "What helps until then: Empty the pool: shopctl drain" in before
    assert "canary-3" not in before + after
    assert "\nKnown cause: a leak in 6.2\nWhat will solve it: release 7\n" in after
    assert "leak" not in notice(known, "web1", Reason.NO_REMEDIATION, technical=False)[1]
    assert "problem" not in draft(incident(), "web1").body


def test_a_notice_tells_those_who_are_served_what_it_means_and_no_command():
    why = "preflight: canary output"
    broken = incident(attempts=(FAILED,), would_run=("secret-tool", "run"), state=State.ESCALATED, escalated_reason=why)
    subject, text = notice(broken, "web1", Reason.EXHAUSTED, technical=False)
    assert subject == "[P2] SystemdUnitFailed nginx.service on web1"
    assert "Customers see errors." in text
    assert [word for word in ("systemctl", "secret-tool", "Technical", "canary") if word in text] == []
    _, technical = notice(broken, "web1", Reason.EXHAUSTED, technical=True)
    assert "systemctl restart" in technical
    assert why in technical
    assert "canary" not in technical.replace(why, "")


def test_a_notice_says_how_far_an_escalation_has_come_and_who_has_taken_charge():
    late = incident(page=Page(chain="urgent", level=2, since=0.0))
    _, text = notice(late, "web1", Reason.PAGED, technical=False)
    assert text.startswith("Nobody has acknowledged this yet (level 2 of urgent).")
    mine = incident(acknowledged_by="ann\nBcc: x", acknowledged_until=1_800_003_600.0)
    _, text = notice(mine, "web1", Reason.ACKNOWLEDGED, technical=False)
    assert text.startswith("ann\\x0aBcc: x has taken it until 2027-01-15 09:00:00 UTC: ")
    assert "nobody has this in hand" in update_for(incident(), Reason.ACKNOWLEDGEMENT_OVER, key="k").comment


def test_a_notice_of_the_end_says_so_in_its_subject():
    over = incident(state=State.RESOLVED, resolution=Resolution.FIXED)
    subject, text = notice(over, "web1", Reason.FIXED, technical=False)
    assert subject == "Over: [P2] SystemdUnitFailed nginx.service on web1"
    assert text.startswith("Fixed: an automatic action helped")


def test_a_time_that_no_calendar_has_is_told_as_its_last():
    assert "Since: 9999-12-31 23:59:59 UTC" in draft(incident(active_at=1e18), "web1").body
