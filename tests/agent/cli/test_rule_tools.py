"""Commands that check and test rules and expressions, and ask the daemon, as they are typed."""

import json
from xml.etree import ElementTree as ET

import pytest

from agent.cli.main import main
from agent.cli.parser import point_in_time
from tests.agent.cli.daemons import daemon

GOOD = "groups:\n- name: g\n  rules:\n  - {alert: Down, expr: up == 0}\n"
TWIN = GOOD + "  - {alert: Down, expr: up < 1}\n"
BAD = GOOD + "  - {alert: Odd, expr: up ==}\n"
SCRIPT = "load 1m\n  x 1 2 3\n\neval instant at 1m x\n  x 2\n\n"
HOSTILE = "\x1b[2J"


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Return a function that runs a command in a folder of its own and returns exit code, output and complaints."""
    for name in ("PARAMEDIC_CONFIG", "STATE_DIRECTORY", "RUNTIME_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        assert "\x1b" not in said.out + said.err
        return code, said.out, said.err

    return command


@pytest.fixture
def write(tmp_path):
    def written(name, text):
        (tmp_path / name).write_text(text)
        return name

    return written


def test_sound_rules_pass(run, write):
    assert run("check", "rules", write("a.yml", GOOD)) == (0, "a.yml: 1 rules found\n", "")


def test_what_is_wrong_with_rules_is_shown_with_its_place_and_rule(run, write):
    code, out, _ = run("check", "rules", write("bad.yml", BAD), write("good.yml", GOOD), "none.yml")
    assert code == 1
    lines = out.splitlines()
    assert lines[0].startswith("error: bad.yml:5:24: rule 'Odd': expr")
    assert lines[1:] == ["good.yml: 1 rules found", "error: none.yml: cannot be read: No such file or directory"]


@pytest.mark.parametrize(
    ("options", "code", "lints"),
    [([], 0, 1), (["--lint-fatal"], 3, 1), (["--lint", "none", "--lint-fatal"], 0, 0), (["--lint", "all"], 0, 1)],
)
def test_lints_fail_only_if_they_are_fatal(run, write, options, code, lints):
    status, out, _ = run("check", "rules", *options, "--json", write("twin.yml", TWIN))
    answer = json.loads(out)
    problems = answer["files"][0]["problems"]
    assert (status, answer["ok"], len(problems)) == (code, code == 0, lints)
    assert all(
        (p["level"], p["lint"], p["line"], p["rule"]) == ("lint", "duplicate-rules", 5, "Down") for p in problems
    )


def test_errors_weigh_more_than_fatal_lints(run, write):
    assert run("check", "rules", "--lint-fatal", write("twin.yml", TWIN), write("bad.yml", BAD))[0] == 1


def test_checking_rules_leaves_checking_the_configuration_as_it_was(run):
    assert run("check", "--json")[0] in {0, 1}


RULE_TESTS = """\
rule_files: [rules.yml]
tests:
- name: down
  input_series: [{series: up, values: '0x3'}]
  alert_rule_test: [{eval_time: 1m, alertname: Down, exp_alerts: [{}]}]
- name: "forged\\e[2J"
  promql_expr_test: [{expr: up, eval_time: 0, exp_samples: [{labels: up, value: 1}]}]
"""


def test_rule_tests_tell_what_failed(run, write):
    write("rules.yml", GOOD)
    code, out, _ = run("test", "rules", write("t.yml", RULE_TESTS))
    assert code == 1
    assert out.splitlines() == [
        r"t.yml:7: failed: forged\x1b[2J: up: expected up{} 1.0",
        "1 passed, 1 failed, 0 unsupported",
    ]


def test_rule_tests_can_be_chosen_by_name(run, write):
    write("rules.yml", GOOD)
    assert run("test", "rules", "--run", "^d.wn$", write("t.yml", RULE_TESTS))[:2] == (
        0,
        "1 passed, 0 failed, 0 unsupported\n",
    )
    assert run("test", "rules", "--run", "nothing", "--run", "orge", "t.yml")[0] == 1
    code, _, err = run("test", "rules", "--run", "(", "t.yml")
    assert (code, "not a regular expression" in err) == (1, True)


def test_tests_print_an_object_a_case(run, write):
    write("rules.yml", GOOD)
    code, out, _ = run("test", "rules", "--json", write("t.yml", RULE_TESTS))
    first, second = map(json.loads, out.splitlines())
    assert code == 1
    case = {"file": "t.yml", "line": 5, "expr": "Down", "outcome": "passed", "detail": "", "test": "down"}
    assert first == case
    assert (second["outcome"], second["expr"], second["line"]) == ("failed", "up", 7)


def test_an_unreadable_test_file_is_a_failed_case(run, write):
    write("rules.yml", BAD)
    code, out, _ = run("test", "rules", "--json", write("t.yml", RULE_TESTS), "none.yml", write("b.yml", "tests: 1"))
    cases = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [(case["file"], case["line"], case["outcome"]) for case in cases] == [
        ("t.yml", 0, "failed"),
        ("none.yml", 0, "failed"),
        ("b.yml", 1, "failed"),
    ]


def test_a_report_is_written_for_other_programs(run, write, tmp_path):
    write("rules.yml", GOOD)
    run("test", "rules", "--junit", "report.xml", write("t.yml", RULE_TESTS))
    root = ET.parse(tmp_path / "report.xml").getroot()  # noqa: S314 - our own
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("2", "1", "0")
    names = [case.get("name") for case in root.iter("testcase")]
    assert names == ["down 5: Down", r"forged\x1b[2J 7: up"]
    assert [failure.get("message") for failure in root.iter("failure")] == ["expected up{} 1.0"]
    code, _, err = run("test", "rules", "--junit", "no/such/folder.xml", "t.yml")
    assert (code, "cannot write" in err) == (1, True)


@pytest.mark.parametrize(
    ("text", "code", "outcomes"),
    [
        (SCRIPT, 0, ["passed"]),
        (SCRIPT.replace("x 2", "x 3"), 1, ["failed"]),
        (SCRIPT + "eval instant at 0 rate(x[5m] anchored)\n", 0, ["passed", "unsupported"]),
        ("nonsense\n", 1, ["failed"]),
    ],
)
def test_scripts_fail_only_if_a_case_does(run, write, text, code, outcomes):
    status, out, _ = run("test", "promql", "--json", write("s.test", text))
    assert (status, [json.loads(line)["outcome"] for line in out.splitlines()]) == (code, outcomes)
    assert json.loads(out.splitlines()[0]).keys() == {"file", "line", "expr", "outcome", "detail"}


def test_scripts_tell_what_failed(run, write):
    code, out, _ = run("test", "promql", write("s.test", SCRIPT.replace("x 2", "x 3")))
    assert code == 1
    assert out.splitlines()[0].startswith("s.test:4: failed: x: expected 3.0")


VECTOR = {
    "resultType": "vector",
    "result": [{"metric": {"__name__": "up", "b": f'{HOSTILE}"', "a": "1"}, "value": [1700000000.5, "1"]}],
}


def answered(data, **more):
    return 200, {"status": "success", "data": data, **more}


def test_an_instant_query_shows_each_element(tmp_path, run):
    answers = {"GET /api/v1/query?query=up+%3E+0&time=1700000000.5": answered(VECTOR, warnings=[f"odd {HOSTILE}"])}
    with daemon(tmp_path / "sock", answers):
        code, out, err = run("query", "instant", "up > 0", "--at", "1700000000.5", "--socket", tmp_path / "sock")
    assert (code, err) == (0, "odd \\x1b[2J\n")
    assert out == 'up{a="1", b="\\x1b[2J\\""} => 1 @[1700000000.500]\n'


def test_a_query_shows_its_data_as_json(tmp_path, run):
    with daemon(tmp_path / "sock", {"GET /api/v1/query?query=up": answered(VECTOR)}):
        code, out, _ = run("query", "instant", "up", "--json", "--socket", tmp_path / "sock")
    assert (code, json.loads(out)) == (0, VECTOR)


@pytest.mark.parametrize(
    ("kind", "result", "shown"), [("scalar", [5, "2"], "scalar: 2 @[5]\n"), ("string", [5, "x"], "string: x @[5]\n")]
)
def test_a_query_without_series_shows_its_kind(tmp_path, run, kind, result, shown):
    answers = {"GET /api/v1/query?query=1": answered({"resultType": kind, "result": result})}
    with daemon(tmp_path / "sock", answers):
        assert run("query", "instant", "1", "--socket", tmp_path / "sock")[:2] == (0, shown)


def test_a_range_query_shows_each_series_over_time(tmp_path, run):
    data = {"resultType": "matrix", "result": [{"metric": {}, "values": [[0, "1"], [60, "2"]]}]}
    answers = {"GET /api/v1/query_range?query=x&start=0.0&end=60.0&step=60.0": answered(data)}
    with daemon(tmp_path / "sock", answers):
        options = ["--start", "1970-01-01T00:00:00Z", "--end", "60", "--step", "1m"]
        code, out, _ = run("query", "range", "x", *options, "--socket", tmp_path / "sock")
    assert (code, out.splitlines()) == (0, ["{} =>", "1 @[0]", "2 @[60]"])


def test_a_range_query_has_a_sensible_span_and_step(tmp_path, run):
    with daemon(tmp_path / "sock", {}) as asked:
        run("query", "range", "x", "--end", "100000", "--socket", tmp_path / "sock")
        run("query", "range", "x", "--start", "0", "--end", "100000", "--socket", tmp_path / "sock")
    assert [request.partition("&")[2] for request, _ in asked] == [
        "start=99700.0&end=100000.0&step=1.0",
        "start=0.0&end=100000.0&step=400.0",
    ]


def test_a_refused_query_says_why(tmp_path, run):
    refused = {"status": "error", "errorType": "bad_data", "error": f"unknown function {HOSTILE}"}
    with daemon(tmp_path / "sock", {"GET /api/v1/query?query=x": (400, refused)}):
        code, out, err = run("query", "instant", "x", "--socket", tmp_path / "sock")
    assert (code, out, err) == (1, "", "paramedic: unknown function \\x1b[2J\n")


def test_a_query_that_ends_before_it_starts_is_refused(tmp_path, run):
    with daemon(tmp_path / "sock", {}):
        code, _, err = run("query", "range", "x", "--start", "9", "--end", "8", "--socket", tmp_path / "sock")
    assert (code, "--end must not be before --start" in err) == (1, True)


@pytest.mark.parametrize(
    ("text", "expected"), [("12.5", 12.5), ("1970-01-01T00:01:00Z", 60), ("1970-01-01T01:01:00+01:00", 60)]
)
def test_times_are_seconds_or_dates(text, expected):
    assert point_in_time(text) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "rules"],
        ["check", "rules", "--lint", "odd", "f"],
        ["test"],
        ["test", "rules"],
        ["test", "promql"],
        ["query"],
        ["query", "instant"],
        ["query", "instant", "up", "--at", "soon"],
        ["query", "range", "up", "--step", "often"],
    ],
)
def test_wrong_usage_exits_with_2(arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
