"""Alertmanager's v2 API, shape by shape."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agent.engine.commands import CommandError, ExpireSilence, PutSilence
from agent.incidents import windows
from agent.incidents.inhibition import Inhibition
from agent.incidents.muting import Freeze, Muting
from agent.incidents.silences import Silence
from agent.incidents.windows import Recurrence
from collectors.sample import labels
from rules import matchers
from rules.alert import Alert, AlertState
from tests.agent.web.daemon import TOKEN, running

BEARER = f"Bearer {TOKEN}"
V2 = "/api/v2"
NOW = time.time()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with running(tmp_path_factory.mktemp("web")) as daemon:
        yield daemon


@pytest.fixture
def daemon(served):
    served.backend.commands.clear()
    served.backend.muting, served.backend.error = Muting(), None
    served.backend.listed = (alert("Down", name="web"), alert("Down", name="mail"), alert("Slow", name="web"))
    yield served
    served.backend.listed = ()


def alert(alertname, **more):
    return Alert(
        fingerprint=f"f-{alertname}-{more.get('name', '')}",
        rule="r",
        rule_version="1",
        labels=labels(alertname=alertname, severity="critical", **more),
        annotations=labels(summary="it is"),
        state=AlertState.FIRING,
        value=1.0,
        active_at=NOW - 60,
    )


def silence(**changes):
    base = Silence(
        id="s1",
        matchers=matchers.parse_all('{name="web"}'),
        starts_at=NOW - 60,
        ends_at=NOW + 3600,
        created_by="ann",
        comment="deploy",
        updated_at=NOW - 60,
    )
    return replace(base, **changes)


def posted(**changes):
    return {
        "matchers": [{"name": "name", "value": "web", "isRegex": False, "isEqual": True}],
        "startsAt": "2026-01-01T00:00:00.000Z",
        "endsAt": "2026-01-02T02:00:00+02:00",
        "createdBy": "ann",
        "comment": "deploy",
        **changes,
    }


def listed(daemon, query=""):
    answer = daemon.tcp("GET", f"{V2}/alerts{query}")
    assert answer.status == 200, answer.body
    return [one["fingerprint"] for one in answer.json]


def test_an_alert_says_what_mutes_it(daemon):
    muting = daemon.backend.muting
    always = windows.parse(Recurrence(times=("00:00-12:00", "12:00-24:00")))
    rule = Inhibition(
        name="slow", source=matchers.parse_all("{alertname=Slow}"), target=matchers.parse_all("{alertname=Down}")
    )
    muting.configure([Freeze(name="night", matchers=matchers.parse_all("{name=mail}"), window=always)], [rule])
    muting.place([silence()])
    muting.note(daemon.backend.listed, NOW)

    by_key = {one["fingerprint"]: one["status"] for one in daemon.tcp("GET", f"{V2}/alerts").json}

    assert by_key == {
        "f-Down-web": {"state": "suppressed", "silencedBy": ["s1"], "inhibitedBy": ["f-Slow-web"], "mutedBy": []},
        "f-Down-mail": {"state": "suppressed", "silencedBy": [], "inhibitedBy": ["f-Slow-web"], "mutedBy": ["night"]},
        "f-Slow-web": {"state": "suppressed", "silencedBy": ["s1"], "inhibitedBy": [], "mutedBy": []},
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["f-Down-mail", "f-Down-web", "f-Slow-web"]),
        ("?silenced=false", ["f-Down-mail"]),
        ("?active=false", ["f-Down-web", "f-Slow-web"]),
        ("?active=false&silenced=false&inhibited=false&unprocessed=false", []),
        ("?filter=alertname%3DSlow", ["f-Slow-web"]),
        ("?filter=alertname%3D%22Down%22&filter=name!~%22w.*%22", ["f-Down-mail"]),
        ("?filter=missing%3D%22%22", ["f-Down-mail", "f-Down-web", "f-Slow-web"]),
        ("?receiver=para.*", ["f-Down-mail", "f-Down-web", "f-Slow-web"]),
        ("?receiver=para", []),
    ],
)
def test_alerts_are_filtered_as_alertmanager_filters_them(daemon, query, expected):
    daemon.backend.muting.place([silence()])

    assert listed(daemon, query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["f-Down-mail", "f-Down-web", "f-Slow-web"]),
        ("?inhibited=false", ["f-Slow-web"]),
        ("?muted=false", ["f-Down-web", "f-Slow-web"]),
    ],
)
def test_what_another_alert_or_a_window_mutes_can_be_left_out(daemon, query, expected):
    slow, down, mail = (matchers.parse_all(text) for text in ("{alertname=Slow}", "{alertname=Down}", "{name=mail}"))
    always = windows.parse(Recurrence(times=("00:00-24:00",)))
    rule = Inhibition(name="slow", source=slow, target=down)
    daemon.backend.muting.configure([Freeze(name="night", matchers=mail, window=always)], [rule])
    daemon.backend.muting.note(daemon.backend.listed, NOW)

    assert listed(daemon, query) == expected


@pytest.mark.parametrize("path", ["alerts", "alerts/groups"])
@pytest.mark.parametrize("query", ["filter=x", "filter=a%3D~%22(%22", "receiver=(", "active=perhaps"])
def test_a_bad_query_is_400_with_a_text(daemon, path, query):
    answer = daemon.tcp("GET", f"{V2}/{path}?{query}")

    assert (answer.status, type(answer.json)) == (400, str)


@pytest.mark.parametrize(
    ("url", "is_shown"),
    [
        ("http://prom:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1", True),
        ("https://[::1]:8911/", True),
        ("", False),
        ("javascript:alert(1)", False),
        ("http://a b", False),
        ("http://a/%zz", False),
    ],
)
def test_an_address_is_shown_only_if_it_is_one(daemon, url, is_shown):
    daemon.backend.listed = (replace(alert("Down"), generator_url=url),)

    assert daemon.tcp("GET", f"{V2}/alerts").json[0].get("generatorURL") == (url if is_shown else None)


def test_groups_are_by_alertname_of_the_one_receiver(daemon):
    groups = daemon.tcp("GET", f"{V2}/alerts/groups").json

    assert [(group["labels"], group["receiver"], len(group["alerts"])) for group in groups] == [
        ({"alertname": "Down"}, {"name": "paramedic"}, 2),
        ({"alertname": "Slow"}, {"name": "paramedic"}, 1),
    ]
    assert daemon.tcp("GET", f"{V2}/receivers").json == [{"name": "paramedic"}]
    assert groups[0]["alerts"][0]["receivers"] == [{"name": "paramedic"}]


def test_the_status_has_versions_and_a_configuration_with_our_inhibition_rules(daemon):
    rule = Inhibition(name="n", source=matchers.parse_all("{a=b}"), target=matchers.parse_all("{c=d}"), equal=("e",))
    daemon.backend.muting.configure([], [rule])

    status = daemon.tcp("GET", f"{V2}/status").json

    assert status["cluster"] == {"status": "disabled", "peers": []}
    assert set(status["versionInfo"]) == {"version", "revision", "branch", "buildUser", "buildDate", "goVersion"}
    assert status["uptime"] == "2027-01-15T08:00:00.000Z"
    assert json.loads(status["config"]["original"])["inhibit_rules"] == [
        {"source_matchers": ['a="b"'], "target_matchers": ['c="d"'], "equal": ["e"]}
    ]


def test_grafana_finds_no_alertmanager_below_the_path_it_tries_first(daemon):
    assert daemon.tcp("GET", "/alertmanager/api/v2/status").status == 404


def test_a_posted_silence_reaches_the_engine(daemon):
    answer = daemon.tcp("POST", f"{V2}/silences", posted(), authorization=BEARER)

    (command,) = daemon.backend.commands
    assert (answer.status, answer.json["silenceID"]) == (200, "one")
    assert isinstance(command, PutSilence)
    made = command.silence
    assert [str(each) for each in made.matchers] == ['name="web"']
    assert made.starts_at == datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert made.ends_at == datetime(2026, 1, 2, tzinfo=UTC).timestamp()
    assert (made.id, made.created_by, made.comment) == ("", "ann", "deploy")


def test_a_silence_without_an_author_is_of_whoever_posted_it(daemon):
    daemon.tcp("POST", f"{V2}/silences", posted(createdBy=""), authorization=BEARER)

    (command,) = daemon.backend.commands
    assert command.silence.created_by == command.actor != ""


@pytest.mark.parametrize(
    ("matcher", "text"),
    [
        ({"isRegex": False}, 'a="b"'),
        ({"isRegex": False, "isEqual": False}, 'a!="b"'),
        ({"isRegex": True}, 'a=~"b"'),
        ({"isRegex": True, "isEqual": False}, 'a!~"b"'),
    ],
)
def test_matchers_go_both_ways(daemon, matcher, text):
    body = posted(matchers=[{"name": "a", "value": "b", **matcher}])
    daemon.tcp("POST", f"{V2}/silences", body, authorization=BEARER)
    made = daemon.backend.commands[0].silence
    assert str(made.matchers[0]) == text

    daemon.backend.muting.place([replace(made, id="s9")])

    (shown,) = daemon.tcp("GET", f"{V2}/silence/s9").json["matchers"]
    assert shown == {"isEqual": True, "name": "a", "value": "b", **matcher}


@pytest.mark.parametrize(
    "changes",
    [
        {"matchers": []},
        {"matchers": [{"name": "", "value": "b", "isRegex": False}]},
        {"matchers": [{"name": "a\n", "value": "b", "isRegex": False}]},
        {"matchers": [{"name": "a", "value": "(", "isRegex": True}]},
        {"matchers": [{"name": "a", "value": "b"}]},
        {"startsAt": "now"},
        {"startsAt": "2026-01-01T00:00:00"},
        {"comment": None},
        {"recurrence": {"days": ["someday"]}},
        {"recurrence": {}},
        {"recurrence": {"hours": ["22:00-06:00"]}},
    ],
)
def test_a_bad_silence_is_400_with_a_text_and_does_not_reach_the_engine(daemon, changes):
    answer = daemon.tcp("POST", f"{V2}/silences", posted(**changes), authorization=BEARER)

    assert (answer.status, type(answer.json)) == (400, str)
    assert daemon.backend.commands == []


def test_what_the_engine_refuses_keeps_its_status(daemon):
    daemon.backend.error = CommandError("there is no silence 'x'", 404)

    assert daemon.tcp("POST", f"{V2}/silences", posted(id="x"), authorization=BEARER).status == 404
    answer = daemon.tcp("DELETE", f"{V2}/silence/x", authorization=BEARER)
    assert (answer.status, answer.json) == (404, "there is no silence 'x'")


def test_a_silence_is_shown_as_it_is_and_one_with_hours_says_them(daemon):
    daemon.backend.muting.place([silence(), silence(id="s2", recurrence=Recurrence(times=("00:00-24:00",)))])

    shown = daemon.tcp("GET", f"{V2}/silence/s1").json

    assert shown["status"] == {"state": "active"}
    assert set(shown) == {
        *("id", "status", "updatedAt", "matchers", "startsAt", "endsAt", "createdBy", "comment"),
    }
    assert datetime.fromisoformat(shown["endsAt"]).timestamp() == pytest.approx(NOW + 3600, abs=0.001)
    recurrence = daemon.tcp("GET", f"{V2}/silence/s2").json["recurrence"]
    assert recurrence == {"days": [], "times": ["00:00-24:00"], "dates": [], "zone": "UTC"}
    assert daemon.tcp("GET", f"{V2}/silence/s3").status == 404


def test_silences_come_active_first_and_are_filtered_by_their_matchers(daemon):
    daemon.backend.muting.place(
        [
            silence(id="over", ends_at=NOW - 30),
            silence(id="later", starts_at=NOW + 86_400, ends_at=NOW + 90_000),
            silence(id="long", ends_at=NOW + 7200),
            silence(id="short"),
            silence(id="other", matchers=matchers.parse_all("{name=mail}"), ends_at=NOW + 9000),
        ]
    )

    def ids(query=""):
        return [one["id"] for one in daemon.tcp("GET", f"{V2}/silences{query}").json]

    assert ids() == ["short", "long", "other", "later", "over"]
    assert ids("?filter=name%3Dmail") == ["other"]
    assert ids("?filter=absent%3Dx") == []
    assert (ids("?creator=bob"), len(ids("?creator=bob&creator=ann"))) == ([], 5)
    assert daemon.tcp("GET", f"{V2}/silences?filter=x").status == 400


def test_ending_a_silence_is_an_order_of_the_caller(daemon):
    answer = daemon.tcp("DELETE", f"{V2}/silence/s1", authorization=BEARER)

    (command,) = daemon.backend.commands
    assert (answer.status, answer.body) == (200, b"")
    assert isinstance(command, ExpireSilence)
    assert (command.silence_id, command.actor.startswith("anonymous")) == ("s1", False)


@pytest.mark.parametrize("ends", ["9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-12:00"])
def test_a_silence_until_the_end_of_the_calendar_can_be_shown(daemon, ends):
    daemon.tcp("POST", f"{V2}/silences", posted(endsAt=ends), authorization=BEARER)
    daemon.backend.muting.place([replace(daemon.backend.commands[0].silence, id="s9")])

    assert daemon.tcp("GET", f"{V2}/silence/s9").json["endsAt"].startswith("9999-")
