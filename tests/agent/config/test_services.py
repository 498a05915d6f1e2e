"""The service catalogue out of the configuration, and everything that can be wrong with it."""

from datetime import UTC, datetime

import pytest

from agent.config import services
from agent.config.load import load
from agent.config.problems import ConfigError
from agent.itsm.catalogue import Criticality

GOOD = """
[[calendars]]
name = "office"
days = ["mon-fri"]
times = ["08:00-18:00"]
holidays = ["12-25"]
zone = "Europe/Berlin"

[[services]]
name = "shop"
owner = "Ada"
criticality = "high"
match = ['{name="nginx.service"}']
calendar = "office"
depends_on = ["database"]
automation = "approve"
targets = { P1 = { respond = "15m", resolve = "4h" } }
objective = { availability = 99.5, window = "10d", agreed_by = "Head of Sales" }

[[services]]
name = "database"

[priorities]
low = ["P3", "P3", "P4", "P4"]
"""


def loaded(folder, text):
    (folder / "a.toml").write_text(text)
    return load(folder / "a.toml", {})


def problems(folder, text):
    with pytest.raises(ConfigError) as refused:
        loaded(folder, text)
    return {problem.path: problem.message for problem in refused.value.problems}


def test_a_service_is_what_the_file_says(tmp_path):
    config = loaded(tmp_path, GOOD)
    shop = services.catalogue(config).of((("name", "nginx.service"),))
    assert (shop.name, shop.owner, shop.criticality) == ("shop", "Ada", Criticality.HIGH)
    assert shop.targets["P1"].resolve == 4 * 3600.0
    assert shop.objective.budget() == pytest.approx(0.005 * 10 * 86400)
    assert shop.objective.agreement.by == "Head of Sales"
    assert services.catalogue(config).below("shop") == {"database"}
    assert services.priorities(config).matrix[Criticality.LOW][0] == "P3"


def test_its_calendar_keeps_hours_and_holidays(tmp_path):
    shop = services.catalogue(loaded(tmp_path, GOOD)).get("shop")
    assert shop.calendar.open_at(datetime(2026, 12, 24, 12, tzinfo=UTC).timestamp())
    assert not shop.calendar.open_at(datetime(2026, 12, 25, 12, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("text", "path", "says"),
    [
        ("[[services]]\nname = 'a'\ncalendar = 'x'", "services[0].calendar", "unknown calendar 'x'"),
        ("[[services]]\nname = 'a'\ndepends_on = ['b']", "services[0].depends_on", "unknown service 'b'"),
        (
            "[[services]]\nname = 'a'\ndepends_on = ['b']\n[[services]]\nname = 'b'\ndepends_on = ['a']",
            "services",
            "depends on itself: a → b → a",
        ),
        ("[[services]]\nname = 'default'", "services[0].name", "choose another name"),
        ("[[services]]\nname = 'a'\n[[services]]\nname = 'a'", "services", "used twice"),
        ("[[services]]\nname = 'a'\nmatch = ['{x}']", "services[0].match[0]", "not a label matcher"),
        ("[[services]]\nname = 'a'\ntargets = { P9 = {} }", "services[0]", "priorities are P1"),
        (
            "[[services]]\nname = 'a'\ntargets = { P1 = { respond = '2h', resolve = '1h' } }",
            "services[0].targets",
            "must not be longer",
        ),
        ("[[services]]\nname = 'a'\nobjective = { availability = 100.0 }", "services[0].objective", "less than 100"),
        (
            "[[services]]\nname = 'a'\nobjective = { review_by = '2026-02-30' }",
            "services[0].objective.review_by",
            "must be a date",
        ),
        ("[[calendars]]\nname = 'c'", "calendars[0]", "has no hours"),
        ("[[calendars]]\nname = 'c'\ndays = ['mon']\nholidays = ['01-01..12-31']", "calendars[0]", "has no hours"),
        ("[[calendars]]\nname = 'c'\ndays = ['monday']", "calendars[0].days[0]", "must be a weekday"),
        ("[[calendars]]\nname = 'c'\ndays = ['mon']\nzone = 'Mars/Base'", "calendars[0].zone", "must be a time zone"),
        ("[priorities]\nhigh = ['P1']", "priorities", "must be four of"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, text, path, says):
    found = problems(tmp_path, text)
    assert [message for place, message in found.items() if place.startswith(path) and says in message], found
