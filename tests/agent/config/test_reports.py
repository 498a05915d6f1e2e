"""Scheduled reports in the configuration."""

import pytest

from agent.config.reports import schedules
from agent.itsm.schedules import Schedule
from tests.agent.config.fakes import loaded, problems

MAIL = '[[channels]]\nname = "mail"\nhost = "mail.example.org"\nsender = "me@example.org"\nto = ["ops@example.org"]\n'


def test_a_report_is_due_on_monday_at_seven_or_on_the_first_unless_the_file_says_otherwise(tmp_path):
    text = (
        '[[reports]]\n[[reports]]\nname = "m"\nevery = "monthly"\n'
        '[[reports]]\nname = "x"\nevery = "monthly"\nday = "28"\nat = "23:59"\nzone = "Europe/Berlin"\n'
        'channels = ["mail"]\n'
    )
    assert schedules(loaded(tmp_path, MAIL + text)) == (
        Schedule(name="weekly", every="weekly", day=0, minute=420, zone="UTC"),
        Schedule(name="m", every="monthly", day=1, minute=420, zone="UTC"),
        Schedule(name="x", every="monthly", day=28, minute=1439, zone="Europe/Berlin", channels=("mail",)),
    )


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ('channels = ["mall"]', "reports[0].channels", "mail"),
        ('day = "32"\nevery = "monthly"', "reports[0]", 'day must be one from "1" to "28"'),
        ('day = "someday"', "reports[0]", "must be a weekday"),
        ('at = "25:00"', "reports[0].at", 'must be a time of day such as "07:00"'),
        ('zone = "Mars/Olympus"', "reports[0].zone", "must be a time zone"),
        ('every = "daily"', "reports[0].every", "weekly"),
        ('[[reports]]\nname = "weekly"', "reports", "is used twice"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, text, path, message):
    found = problems(tmp_path, f"{MAIL}[[reports]]\n{text}\n")
    assert list(found) == [path]
    assert message in found[path]
