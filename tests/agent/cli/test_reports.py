"""`paramedic report`, `suggestion`, `review` and `override`, as they are typed and as they are shown."""

import json
import time
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest

from agent.cli.main import main
from tests.agent.cli.daemons import daemon

BERLIN = ZoneInfo("Europe/Berlin")


class Everything(dict):
    """Answers by the path alone, whatever is asked of it."""

    def get(self, request, default=None):
        return super().get(request.partition("?")[0], default)


@pytest.fixture
def run(tmp_path, capsys):
    """Return a function that runs a command against a daemon that gives these answers."""

    def command(answers, *arguments):
        (tmp_path / "sock").unlink(missing_ok=True)
        known = Everything({request: (200, answer) for request, answer in answers.items()})
        with daemon(tmp_path / "sock", known) as asked:
            code = main([*arguments, "--socket", str(tmp_path / "sock")])
        said = capsys.readouterr()
        return code, said.out, said.err, asked

    return command


def query(asked):
    ((request, _),) = asked
    return {name: values[0] for name, values in parse_qs(urlsplit(request.split(" ")[1]).query).items()}


TEXT = {"form": "markdown", "text": "# report\n", "same": True}


@pytest.mark.parametrize("what", ["weekly", "monthly", "controls"])
def test_a_period_is_the_last_whole_one_of_the_zone(run, what):
    path = "GET /control/controls" if what == "controls" else "GET /control/report"
    code, out, _, asked = run({path: TEXT}, "report", what, "--zone", "Europe/Berlin")
    start, end = (datetime.fromtimestamp(float(query(asked)[name]), BERLIN) for name in ("from", "to"))
    assert (code, out) == (0, "# report\n")
    assert {(each.hour, each.minute) for each in (start, end)} == {(0, 0)}
    assert end.timestamp() <= time.time()
    assert (
        (start.weekday(), (end.date() - start.date()).days) == (0, 7) if what == "weekly" else start.day == end.day == 1
    )


def test_any_other_period_form_and_file(run, tmp_path):
    arguments = ("report", "--from", "0", "--to", "86400", "--form", "html", "--out", str(tmp_path / "r.html"))
    _, out, _, asked = run({"GET /control/report": TEXT}, *arguments)
    assert query(asked) == {"from": "0.0", "to": "86400.0", "form": "html", "zone": "UTC"}
    assert (out, (tmp_path / "r.html").read_text()) == ("", "# report\n")


def test_from_a_time_on_means_until_now(run):
    _, _, _, asked = run({"GET /control/report": TEXT}, "report", "--from", "2026-01-01")
    assert float(query(asked)["to"]) == pytest.approx(time.time(), abs=60.0)


def test_a_published_report_that_comes_out_differently_is_said(run):
    code, out, err, _ = run({"GET /control/reports/weekly-1": TEXT | {"same": False}}, "report", "show", "weekly-1")
    assert (code, out) == (1, "# report\n")
    assert "this is not what was published" in err


def test_publishing_names_the_report_by_its_days_and_says_if_it_is_there_already(run):
    answers = {"POST /control/reports": {"report": "1970-01-01-to-1970-01-02", "new": False}}
    code, out, err, asked = run(answers, "report", "--from", "0", "--to", "86400", "--send", "ops", "sales")
    assert code == 0
    assert out == "1970-01-01-to-1970-01-02\n"
    assert "is not sent again" in err
    ((_, body),) = asked
    assert (body["id"], body["channels"], body["zone"]) == ("1970-01-01-to-1970-01-02", ["ops", "sales"], "UTC")


def test_a_zone_that_is_none_is_refused(run):
    code, _, err, asked = run({}, "report", "--zone", "Mars/Olympus")
    assert (code, asked) == (1, [])
    assert "--zone must be a time zone" in err


def test_days_and_times_are_those_of_the_zone_and_not_of_whoever_types_them(run, monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        arguments = ("report", "--from", "2026-10-25", "--to", "2026-10-26T06:00", "--zone", "Europe/Berlin")
        _, _, _, asked = run({"GET /control/report": TEXT}, *arguments)
        (start, end) = (float(query(asked)[name]) for name in ("from", "to"))
        assert start == datetime(2026, 10, 25, tzinfo=BERLIN).timestamp()
        assert end - start == 31 * 3600  # the clocks go back that night
        _, _, _, asked = run({"GET /control/report": TEXT}, "report", "--from", "2026-10-25T00:00+00:00")
        assert float(query(asked)["from"]) == datetime(2026, 10, 25, tzinfo=UTC).timestamp()
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text", ["yesterday", "nan", "inf", "1e300", "2026-13-01", ""])
def test_what_is_no_time_is_refused_with_examples(capsys, text):
    with pytest.raises(SystemExit) as refused:
        main(["report", "--from", text])
    assert refused.value.code == 2
    assert "write 2026-01-31, 2026-01-31T12:00" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["capacity", "--soon", "x"], "must be a duration such as"),
        (["incident", "ack", "i", "--for", "40000d"], "must not be longer than a hundred years"),
        (["override", "set", "Down", "nan", "--for", "1h", "--reason", "x"], "must be a number, not 'nan'"),
    ],
)
def test_what_is_no_duration_or_number_is_refused_with_what_would_be(capsys, arguments, says):
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert refused.value.code == 2
    assert says in capsys.readouterr().err


def test_each_published_period_has_a_name_of_its_own(run):
    def name(*arguments):
        _, _, _, asked = run({"POST /control/reports": {"report": "x", "new": True}}, "report", "--publish", *arguments)
        return asked[0][1]["id"]

    days = ("--from", "2026-11-09", "--to", "2026-11-16")
    morning, day = (("--from", "2026-11-09", "--to", end) for end in ("2026-11-09T12:00", "2026-11-09T18:00"))
    names = [name(*days), name(*days, "--zone", "Europe/Berlin"), name(*morning), name(*day)]
    assert names[0] == "2026-11-09-to-2026-11-16"
    assert len(set(names)) == len(names)


def test_a_file_that_cannot_be_written_is_an_error_in_words(run, tmp_path):
    code, _, err, _ = run({"GET /control/report": TEXT}, "report", "--out", str(tmp_path / "no" / "r.md"))
    assert (code, err) == (1, f"paramedic: cannot write {tmp_path}/no/r.md: No such file or directory\n")


@pytest.mark.parametrize("arguments", [("show",), ("weekly", "weekly-1")])
def test_an_id_belongs_to_show_alone(run, arguments):
    code, _, err, asked = run({}, "report", *arguments)
    assert (code, asked) == (1, [])
    assert "takes the ID of a report" in err


SUGGESTION = {
    "id": "s-1",
    "state": "open",
    "due": "2026-12-24",
    "owner": "",
    "about": "rule \x1b[2JDown",
    "says": "noisy",
    "suggestion": "a longer for",
    "opened_at": 0.0,
}


def test_suggestions_come_by_their_date_and_steer_no_terminal(run):
    late = SUGGESTION | {"id": "s-2", "due": "2026-11-01", "owner": "ann"}
    _, out, _, _ = run({"GET /control/suggestions": [SUGGESTION, late]}, "suggestion", "list")
    assert [line.split()[0] for line in out.splitlines()] == ["ID", "s-2", "s-1"]
    assert "\x1b" not in out
    assert "nobody" in out
    assert run({"GET /control/suggestions": []}, "suggestion", "list")[1] == "no suggestions\n"


def test_words_about_suggestions_are_sent_as_typed(run):
    answers = {"POST /control/suggestions/s-1/assign": SUGGESTION, "POST /control/suggestions/s-1/close": SUGGESTION}
    asked = run(answers, "suggestion", "assign", "s-1", "--owner", "ann", "--due", "2026-12-24")[3]
    assert asked[0][1] == {"owner": "ann", "due": "2026-12-24"}
    asked = run(answers, "suggestion", "close", "s-1", "--reason", "wanted so", "--accept", "90d")[3]
    assert asked[0][1] == {"reason": "wanted so", "accepted_seconds": 90 * 86400.0}


def test_a_review_is_sent_and_shown_with_its_actions(run):
    action = {"id": "s-9", "suggestion": "split", "owner": "", "due": "2026-12-24", "state": "open"}
    review = {"id": "review-1", "at": 0.0, "by": "ann", "report": "", "decisions": ["keep"], "actions": [action]}
    _, out, _, _ = run({"GET /control/reviews": [review]}, "review", "list")
    assert "decided: keep" in out
    assert "to do: split (nobody, 2026-12-24, open) s-9" in out
    made = review | {"actions": ["s-9"]}
    asked = run({"POST /control/reviews": made}, "review", "record", "--decision", "keep", "--action", "split")[3]
    assert asked[0][1] == {"decisions": ["keep"], "actions": [{"what": "split", "owner": "", "due": ""}], "report": ""}
    assert run({"GET /control/reviews/due": []}, "review", "due")[1] == "nothing to look at\n"


def test_an_override_is_sent_and_listed(run):
    made = {"id": "o-1", "rule": "Low", "service": "", "limit": 0.05, "instead_of": 0.1, "by": "ann", "reason": "sale"}
    made |= {"created_at": 0.0, "ends_at": 0.0}
    arguments = ("override", "set", "Low", "0.05", "--for", "2d", "--reason", "sale", "--instead-of", "0.1")
    asked = run({"POST /control/overrides": made}, *arguments)[3]
    sent = {"rule": "Low", "limit": 0.05, "instead_of": 0.1, "service": "", "seconds": 172800.0, "reason": "sale"}
    assert asked[0][1] == sent
    _, out, _, _ = run({"GET /control/overrides": [made]}, "override", "list")
    assert "0.05 instead of 0.1" in out
    assert "all" in out
    assert json.loads(run({"POST /control/overrides/o-1/end": made}, "override", "end", "o-1", "--json")[1]) == made
