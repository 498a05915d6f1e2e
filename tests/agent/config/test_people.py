"""Channels and routes in the configuration."""

import pytest

from agent.app.planning import policy
from agent.config import people
from tests.agent.config.fakes import loaded, problems

GOOD = """
[[calendars]]
name = "office"
times = ["08:00-18:00"]
[[services]]
name = "shop"
[[channels]]
name = "mail"
host = "mail.example.org"
sender = "me@example.org"
to = ["ops@example.org"]
[[channels]]
name = "chat"
kind = "slack"
url_file = "slack"
"""


DIGEST = "[[digests]]\nname = 'd'\nchannels = ['mail']\n"
LEVEL = '{ after = "5m", channels = ["mail"] }'
CHAIN = f'[[chains]]\nname = "x"\nlevels = [{LEVEL}]\n'


def test_a_digest_is_a_channel_that_waits_for_its_times(tmp_path):
    text = DIGEST + 'at = ["08:00", "*:30"]\ndays = ["mon-fri"]\naudience = "business"\n[[routes]]\nchannels = ["d"]'
    config = loaded(tmp_path, GOOD + text)
    (digest,) = people.digests(config)
    assert digest.times == (30, 90, 150, 210, 270, 330, 390, 450, 480, *range(510, 1440, 60))
    assert (digest.days, digest.audience, digest.channels) == (frozenset(range(5)), "business", ("mail",))
    assert people.audiences(config)["d"] == "business"


def test_the_first_chain_that_fits_is_taken(tmp_path):
    text = CHAIN + 'priorities = ["P1"]\n' + CHAIN.replace("x", "y")
    rules = policy(loaded(tmp_path, GOOD + text), publish=())
    assert [rules.chain_for("shop", priority).name for priority in ("P1", "P2")] == ["x", "y"]
    (level,) = rules.chains[0].levels
    assert (level.after, level.channels) == (300.0, ("mail",))


def test_a_route_names_channels_services_priorities_and_hours(tmp_path):
    text = '[[routes]]\nchannels = ["mail", "chat"]\nservices = ["shop"]\npriorities = ["P1"]\ncalendar = "office"'
    (route,) = people.routes(loaded(tmp_path, GOOD + text))
    assert route.channels == ("mail", "chat")
    nine, night = 1_800_003_600.0, 1_800_046_800.0
    assert route.fits("shop", "P1", nine)
    assert not route.fits("shop", "P1", night)
    assert not route.fits("shop", "P2", nine)
    assert not route.fits("default", "P1", nine)


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ('[[routes]]\nchannels = ["mial"]', "routes[0].channels", "mail"),
        ("[[routes]]\nchannels = []", "routes[0]", "tells nobody"),
        ('[[routes]]\nchannels = ["mail"]\nservices = ["x"]', "routes[0].services", "x"),
        ('[[routes]]\nchannels = ["mail"]\ncalendar = "x"', "routes[0].calendar", "x"),
        ('[[routes]]\nchannels = ["mail"]\nwithin = false', "routes[0].within", "never holds"),
        ('[[routes]]\nchannels = ["mail"]\npriorities = ["P9"]', "routes[0].priorities[0]", "P1"),
        (f"{DIGEST}at = ['25:00']", "digests[0].at[0]", "such as"),
        (f"{DIGEST}at = []", "digests[0].at", "must not be empty"),
        (f"{DIGEST}zone = 'Mars'", "digests[0].zone", "time zone"),
        (DIGEST.replace("'mail'", "'d'"), "digests[0].channels", "unknown channel 'd'"),
        (DIGEST.replace("'d'", "'mail'"), "digests[0].name", "'mail' is taken"),
        (DIGEST.replace("channels = ['mail']", ""), "digests[0]", "tells nobody"),
        ('[[chains]]\nname = "x"\nlevels = []', "chains[0].levels", "must not be empty"),
        ('[[chains]]\nname = "x"\nlevels = [{ after = "5m" }]', "chains[0].levels[0]", "tells nobody"),
        ('[[chains]]\nname = "x"\nlevels = [{ channels = ["mail"] }]', "chains[0].levels[0].after", "missing"),
        (f'[[chains]]\nname = "x"\nlevels = [{LEVEL}, {LEVEL}]', "chains[0]", "must come later"),
        ('[[chains]]\nname = "x"\nlevels = [{ after = "5m", people = ["a"] }]', "chains[0].levels[0].people", "person"),
        ('[[chains]]\nname = "x"\nlevels = [{ after = "5m", rotas = ["a"] }]', "chains[0].levels[0].rotas", "rota"),
        (f'[[chains]]\nname = "x"\nservices = ["a"]\nlevels = [{LEVEL}]', "chains[0].services", "unknown service"),
        (f'[[chains]]\nname = "x"\npriorities = ["a"]\nlevels = [{LEVEL}]', "chains[0].priorities[0]", "P1"),
        (f"{CHAIN}{CHAIN.replace('x', 'y')}", "chains[1]", "never used: 'x' stands before it"),
        (f"{CHAIN}priorities = ['P1']\n{CHAIN}", "chains", "used twice"),
        ('[[channels]]\nname = "chat"\nkind = "slack"\nurl_file = "x"', "channels[2].name", "taken"),
        ('[[channels]]\nname = "mqtt"\nkind = "slack"\nurl_file = "x"', "channels[2].name", "taken"),
        ('[[channels]]\nname = "x"\nkind = "webhook"', "channels[2]", "a webhook channel needs url_file"),
        ('[[channels]]\nname = "x"\nkind = "apprise"', "channels[2]", "an apprise channel needs url_file"),
        ('[[channels]]\nname = "x"\nkind = "mqtt"', "channels[2].kind", "set host in [mqtt]"),
        ('[[channels]]\nname = "x"\nkind = "mqtt"\ntopic = "a/#"', "channels[2].topic", "without + and #"),
        ('[[channels]]\nname = "x"\nkind = "fax"', "channels[2].kind", "unknown value 'fax'"),
        ('[[channels]]\nname = "x"', "channels[2]", "needs host, sender and to"),
        ('[[channels]]\nname = "x"\nkind = "slack"', "channels[2]", "needs url_file"),
        ('[[channels]]\nname = "x"\nkind = "slack"\nurl_file = "u"\nuser = "a"', "channels[2]", "needs password_file"),
        ('[[channels]]\nname = "x"\nkind = "slack"\nurl_file = "u"\nsender = "a b"', "channels[2].sender", "address"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, text, path, message):
    found = problems(tmp_path, GOOD + text)
    assert list(found) == [path]
    assert message in found[path]


def test_apprise_without_its_package_is_refused_and_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(people, "find_spec", lambda _name: None)
    found = problems(tmp_path, '[[channels]]\nname = "x"\nkind = "apprise"\nurl_file = "u"')
    assert found == {"channels[0].kind": "needs the package apprise: pip install 'paramedic[notify]'"}
