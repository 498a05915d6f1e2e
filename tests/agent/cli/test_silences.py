"""`paramedic silence …` against the API as it is served."""

import json
import time

import pytest

from agent.cli.main import main
from agent.incidents.muting import Muting
from tests.agent.web.daemon import running


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with running(tmp_path_factory.mktemp("web")) as daemon:
        yield daemon


@pytest.fixture
def silence(served, capsys):
    """Return a function that runs `paramedic silence …` and returns exit code, output and complaints."""
    served.backend.commands.clear()
    served.backend.muting = Muting()

    def command(*arguments):
        verb, *rest = arguments
        code = main(["silence", verb, "--socket", str(served.path), *rest])
        for order in served.backend.commands:
            if hasattr(order, "silence"):
                served.backend.muting.place([order.silence])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def test_add_posts_what_was_typed_and_the_caller_is_its_author(served, silence):
    code, _, _ = silence("add", "alertname=Down", 'name!~"web.*"', "--for", "2h", "--comment", "deploy")

    (command,) = served.backend.commands
    made = command.silence
    assert code == 0
    assert [str(each) for each in made.matchers] == ['alertname="Down"', 'name!~"web.*"']
    assert made.ends_at - made.starts_at == pytest.approx(7200, abs=0.01)
    assert abs(made.starts_at - time.time()) < 60
    assert (made.comment, made.recurrence) == ("deploy", None)
    assert made.created_by == command.actor


def test_hours_make_it_come_again(served, silence):
    hours = ("--days", "sat", "sun", "--times", "22:00-06:00", "--zone", "Europe/Berlin")
    silence("add", "a=b", "--until", "2099-01-01T00:00:00Z", "--comment", "c", "--author", "ann", *hours)

    (command,) = served.backend.commands
    assert command.silence.recurrence.days == ("sat", "sun")
    assert command.silence.recurrence.zone == "Europe/Berlin"
    assert command.silence.created_by == "ann"


def test_silences_are_listed_with_matchers_and_hours(silence):
    silence("add", "a=b", "--for", "1h", "--comment", "first\x1b[2J", "--dates", "12-24..01-02")

    code, out, _ = silence("list")

    assert code == 0
    assert 'a="b"' in out
    assert "12-24..01-02 UTC" in out
    assert "\x1b" not in out
    assert json.loads(silence("list", "--json", "a=b")[1])[0]["comment"] == "first\x1b[2J"
    assert silence("list", "a=c")[1] == "no silences\n"


def test_expire_asks_for_each_id(served, silence):
    code, out, _ = silence("expire", "one", "two")

    assert (code, out) == (0, "ended: one, two\n")
    assert [command.silence_id for command in served.backend.commands] == ["one", "two"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("a",), "not a label matcher"),
        (("a=b", "--days", "someday"), "weekday"),
        (("a=b", "--days", "sat", "--zone", "Mars"), "time zone"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(silence, arguments, complaint):
    code, _, said = silence("add", *arguments, "--for", "1h", "--comment", "c")

    assert code == 1
    assert complaint in said
