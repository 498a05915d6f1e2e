"""People, teams and rotas in the configuration: what is wrong is named with its place and how to mend it."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from agent.app import oncall
from agent.app.planning import policy
from agent.config import people_checks
from tests.agent.config.fakes import loaded, problems

PEOPLE = """
[[channels]]
name = "mail"
host = "mail.example.org"
sender = "me@example.org"
to = ["ops@example.org"]
[[people]]
name = "ann"
channels = ["mail"]
contact = "+49 30 1"
[[people]]
name = "bob"
channels = ["mail"]
[[people]]
name = "eve"
channels = ["mail"]
[[teams]]
name = "web"
members = ["ann", "bob"]
contact = "web@example.org"
"""
ROTA = """
[[rotas]]
name = "web"
team = "web"
zone = "Europe/Berlin"
"""
LAYER = '[[rotas.layers]]\nmembers = ["ann", "bob"]\nstart = "2026-11-02"\n'


def moment(text):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()


def test_a_rota_says_who_is_on_call_for_which_services(tmp_path):
    service = '[[services]]\nname = "shop"\nteam = "web"\n'
    override = '[[rotas.overrides]]\nperson = "eve"\nstart = "2026-12-24 09:00"\nend = "2026-12-25 09:00"\n'
    rules = policy(loaded(tmp_path, PEOPLE + ROTA + LAYER + override + service), publish=())
    (row,) = oncall.on_call(rules, moment("2026-11-10T12:00"))
    assert row == {
        "rota": "web",
        "team": "web",
        "person": "bob",
        "contact": "web@example.org",
        "channels": ["mail"],
        "until": moment("2026-11-16T09:00"),
        "until_local": "Mon 2026-11-16 09:00 Europe/Berlin",
        "next": "ann",
        "services": ["shop"],
    }
    (row,) = oncall.on_call(rules, moment("2026-12-24T10:00"))
    assert (row["person"], row["next"]) == ("eve", "bob")
    (row,) = oncall.on_call(rules, moment("2026-11-01T12:00"))
    assert (row["person"], row["next"], row["until"]) == ("", "ann", moment("2026-11-02T09:00"))


def test_gaps_are_named_with_from_to_and_the_fix(tmp_path):
    found = problems(tmp_path, PEOPLE + ROTA + LAYER + 'times = ["08:00-18:00"]\nat = "08:00"\n')
    assert found == {
        "rotas[0].layers": "nobody is on call from Mon 2026-11-02 18:00 to Tue 2026-11-03 08:00 (Europe/Berlin),"
        " and 6 times more in a week: give these hours to a layer"
    }


def test_overlaps_are_named_with_from_to_and_the_fix(tmp_path):
    day, night = 'times = ["08:00-18:00"]\n', 'times = ["17:30-08:00"]\n'
    found = problems(tmp_path, PEOPLE + ROTA + LAYER + day + LAYER + night)
    assert found == {
        "rotas[0].layers[1]": "layers 0 and 1 are both on call from Mon 2026-11-02 17:30 to Mon 2026-11-02 18:00"
        " (Europe/Berlin), and 6 times more in a week: take them from one"
    }


OVERRIDE = '[[rotas.overrides]]\nperson = "{}"\nstart = "2026-12-24 09:00"\nend = "{}"\n'


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        (ROTA.replace('team = "web"', 'team = "wep"') + LAYER, "rotas[0].team", "did you mean 'web'"),
        (ROTA + LAYER.replace("bob", "bop"), "rotas[0].layers[0].members", "did you mean 'bob'"),
        (ROTA + LAYER.replace("bob", "eve"), "rotas[0].layers[0].members", "no member of team 'web'"),
        (ROTA + LAYER + 'every = "36h"\n', "rotas[0].layers[0]", "whole days"),
        (ROTA + LAYER + 'at = "9"\n', "rotas[0].layers[0].at", "09:00"),
        (ROTA + LAYER.replace("2026-11-02", "2026-02-30"), "rotas[0].layers[0].start", "date"),
        (ROTA + LAYER.replace("2026-11-02", ""), "rotas[0].layers[0]", "start must not be empty"),
        (ROTA + LAYER + 'end = "2026-01-01 09:00"\n', "rotas[0].layers[0]", "after start"),
        (ROTA + LAYER + 'end = "2027-01-01 09:00"\n', "rotas[0].layers", "nobody is on call from Fri 2027-01-01 09:00"),
        (ROTA + "layers = []\n", "rotas[0].layers", "must not be empty"),
        (ROTA.replace("Berlin", "Berlim") + LAYER, "rotas[0].zone", "time zone"),
        (ROTA + LAYER + OVERRIDE.format("x", "2026-12-25 09:00"), "rotas[0].overrides[0].person", "unknown person"),
        (ROTA + LAYER + OVERRIDE.format("ann", "2026-12-23 09:00"), "rotas[0].overrides[0]", "after start"),
        (ROTA + LAYER + OVERRIDE.format("ann", "noon"), "rotas[0].overrides[0].end", "date and a time"),
        (ROTA + LAYER + 2 * OVERRIDE.format("ann", "2026-12-25 09:00"), "rotas[0].overrides[1]", "same time as ann"),
        (2 * (ROTA + LAYER), "rotas", "used twice"),
        ('[[services]]\nname = "shop"\nteam = "wep"\n', "services[0].team", "did you mean 'web'"),
        ('[[teams]]\nname = "db"\nmembers = ["x"]\n', "teams[1].members", "unknown person"),
        ('[[teams]]\nname = "db"\nmembers = ["ann"]\nchannels = ["x"]\n', "teams[1].channels", "unknown channel"),
        ('[[people]]\nname = "cid"\nchannels = []\n', "people[3].channels", "must not be empty"),
        ('[[people]]\nname = "cid"\nchannels = ["mial"]\n', "people[3].channels", "did you mean 'mail'"),
        ('[[people]]\nname = "cid"\nchannels = ["mail"]\naddress = "a b"\n', "people[3].address", "address"),
        ('[[routes]]\npeople = ["x"]\n', "routes[0].people", "unknown person"),
        ('[[routes]]\nteams = ["x"]\n', "routes[0].teams", "unknown team"),
        ('[[routes]]\nrotas = ["x"]\n', "routes[0].rotas", "unknown rota"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, text, path, message):
    found = problems(tmp_path, PEOPLE + text)
    assert list(found) == [path]
    assert message in found[path]


def test_what_may_not_be_meant_is_said(tmp_path):
    override = '[[rotas.overrides]]\nperson = "eve"\nstart = "2026-12-24 09:00"\nend = "2026-12-25 09:00"\n'
    config = loaded(
        tmp_path, PEOPLE.replace("contact", 'address = "ann@example.org"\ncontact', 1) + ROTA + LAYER + override
    )

    def said(text):
        return {finding.path: finding.message for finding in people_checks.findings(config, moment(text))}

    missing = "is missing: what is for them goes to the `to` of the e-mail channel"
    others = {"people[1].address": missing, "people[2].address": missing}
    assert said("2026-12-25T08:59") == others
    assert said("2026-12-25T09:00") == others | {
        "rotas[0].overrides[0]": "is over since 2026-12-25 09:00 (Europe/Berlin): remove it"
    }
    assert "begin on 2026-11-02 09:00 (Europe/Berlin)" in said("2026-11-02T08:59")["rotas[0].layers"]
