"""Commands, as they are typed."""

import importlib
import json
import re
import time
from pathlib import Path

import pytest

from agent.cli import change_parser, incident_parser, report_parser, trial_parser
from agent.cli import parser as parsing
from agent.cli.main import main
from tests.agent.cli.daemons import daemon

INCIDENT = {
    "id": "inc1",
    "state": "remediating",
    "priority": "P2",
    "service": "shop",
    "suppressed": "silence 7 (ann)",
    "alertname": "Down",
    "labels": [["alertname", "Down"], ["name", "shop\x1b[2J\nforged"], ["severity", "critical"]],
    "annotations": [["summary", "shop is down"]],
    "opened_at": time.time() - 3700,
    "drill": True,
    "refusals": ["cooldown: 5 m not over"],
    "attempts": [{"started_at": 1.7e9, "remediation": "restart-shop", "outcome": "failed", "verified": False}],
    "timeline": [{"at": 1.7e9, "state": "open", "reason": "opened", "detail": "x" * 500}],
}


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Return a function that runs a command and returns exit code, output and complaints."""
    for name in ("PARAMEDIC_CONFIG", "STATE_DIRECTORY", "RUNTIME_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)

    def command(*arguments):
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def test_every_command_has_a_module_that_runs_it():
    sources = [
        file.__loader__.get_source(file.__name__)
        for file in (parsing, incident_parser, change_parser, report_parser, trial_parser)
    ]
    modules = set(re.findall(r'module="(\w+)"', "".join(sources)))
    assert all(callable(importlib.import_module(f"agent.cli.{module}").run) for module in modules)
    texts = {file.stem: file.read_text() for file in Path(parsing.__file__).parent.glob("*.py")}
    assert modules == {name for name, text in texts.items() if re.search(r"^def run\(args", text, re.MULTILINE)}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nope"],
        ["incident"],
        ["incident", "show"],
        ["stop-actions"],
        ["drill", "--timeout", "soon"],
        ["check", "x"],
    ],
)
def test_wrong_usage_exits_with_2(arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_help_shows_examples_and_exit_codes(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "paramedic incident list" in (text := capsys.readouterr().out)
    assert "exit codes" in text


def test_incidents_are_listed_and_hostile_labels_stay_in_their_cell(tmp_path, run):
    with daemon(tmp_path / "sock", {"GET /control/incidents?state=&limit=100": (200, [INCIDENT])}):
        code, out, _ = run("incident", "list", "--socket", tmp_path / "sock")
    header, line = out.splitlines()
    assert code == 0
    assert header.split() == ["ID", "STATE", "PRIORITY", "SERVICE", "AGE", "ALERT", "QUIET", "BECAUSE", "SUBJECT"]
    assert line.split()[:5] == ["inc1", "remediating", "(drill)", "P2", "shop"]
    assert line.split()[5].startswith("1h"), "its age, however slow the machine"
    assert "silence 7 (ann)" in line
    assert r"name=shop\x1b[2J\nforged" in line


def test_no_incidents_is_said(tmp_path, run):
    with daemon(tmp_path / "sock", {"GET /control/incidents?state=active&limit=3": (200, [])}):
        arguments = ["incident", "list", "--state", "active", "--limit", "3", "--socket", tmp_path / "sock"]
        assert run(*arguments)[:2] == (0, "no incidents\n")


def test_an_incident_is_shown_with_all_that_was_done(tmp_path, run):
    with daemon(tmp_path / "sock", {"GET /control/incidents/inc1": (200, INCIDENT)}):
        code, out, _ = run("incident", "show", "inc1", "--socket", tmp_path / "sock")
    assert code == 0
    assert "\x1b" not in out
    assert [word for word in ("shop is down", "restart-shop", "failed", "refused by cooldown") if word not in out] == []
    assert max(len(line) for line in out.splitlines()) < 250


def test_an_incident_of_a_known_error_shows_what_is_known(tmp_path, run):
    known = {"problem": "problem-9", "workaround": "drain it", "cause": "a leak", "permanent_fix": "release 7"}
    with daemon(tmp_path / "sock", {"GET /control/incidents/inc1": (200, INCIDENT | known)}):
        _, out, _ = run("incident", "show", "inc1", "--socket", tmp_path / "sock")
    assert [value for value in known.values() if value not in out] == []


def test_what_a_run_printed_is_shown_first_and_last_and_steers_no_terminal(tmp_path, run):
    printed = "".join(f"line {number}\n" for number in range(100)) + "\x1b[2Jfailed at last\n"
    shown = {**INCIDENT, "runs": [{"action": "run_script", "started_at": 1.7e9, "diagnostics": "", "output": printed}]}
    with daemon(tmp_path / "sock", {"GET /control/incidents/inc1": (200, shown)}):
        _, out, _ = run("incident", "show", "inc1", "--socket", tmp_path / "sock")
    assert re.search(r"\noutput of run_script at [-0-9: ]+:\n  line 0\n", out)
    assert "  line 19\n  … 61 more lines with --json\n  line 81\n" in out
    assert "failed at last" in out
    assert "\x1b" not in out
    assert "before run_script" not in out


def test_json_shows_the_answer_itself(tmp_path, run):
    with daemon(tmp_path / "sock", {"GET /control/incidents/inc1": (200, INCIDENT)}):
        _, out, _ = run("incident", "show", "inc1", "--json", "--socket", tmp_path / "sock")
    assert json.loads(out) == INCIDENT
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("arguments", "request_", "body"),
    [
        (["incident", "ack", "inc1", "--for", "2h"], "incidents/inc1/ack", {"comment": "", "until_seconds": 7200.0}),
        (["incident", "release", "inc1"], "incidents/inc1/release", {}),
        (["incident", "resolve", "inc1", "--comment", "c"], "incidents/inc1/resolve", {"comment": "c"}),
        (["incident", "retry", "inc1", "--reason", "r"], "incidents/inc1/retry", {"reason": "r"}),
        (["remediation", "promote", "web", "--reason", "r"], "remediations/web/promote", {"reason": "r"}),
        (["stop-actions", "--reason", "moving"], "stop", {"reason": "moving"}),
        (["resume-actions"], "resume", {}),
        (["reload"], "reload", {}),
    ],
)
def test_an_order_is_given_as_typed(tmp_path, run, arguments, request_, body):
    with daemon(tmp_path / "sock", {f"POST /control/{request_}": (200, {"ok": 1})}) as asked:
        code, out, _ = run(*arguments, "--json", "--socket", tmp_path / "sock")
    assert (code, json.loads(out), asked) == (0, {"ok": 1}, [(f"POST /control/{request_}", body)])


def test_a_refused_order_exits_with_1_and_the_reason(tmp_path, run):
    answers = {"POST /control/incidents/x/release": (404, {"error": "there is no such \x1b[31mincident"})}
    with daemon(tmp_path / "sock", answers):
        code, out, complaint = run("incident", "release", "x", "--socket", tmp_path / "sock")
    assert (code, out, complaint) == (1, "", "paramedic: there is no such \\x1b[31mincident\n")


def test_the_daemon_is_found_by_its_configuration_even_a_partly_wrong_one(tmp_path, run):
    (tmp_path / "a.toml").write_text("[state]\ndirectory = '.'\n[web]\nlisen = 'x'")
    with daemon(tmp_path / "paramedic.sock", {"GET /control/status": (200, {"ready": True, "load": 0.123456789})}):
        code, out, _ = run("status", "--config", tmp_path / "a.toml")
    assert code == 0
    assert out.split() == ["ready", "yes", "load", "0.123457"]


def test_without_a_daemon_a_command_says_what_to_do(tmp_path, run):
    code, _, complaint = run("status", "--socket", tmp_path / "none")
    assert code == 1
    assert "no daemon is running here" in complaint


def test_check_passes_the_defaults_and_counts_what_it_found(tmp_path, run):
    (tmp_path / "a.toml").write_text("")
    code, out, _ = run("check", "--config", tmp_path / "a.toml")
    assert code == 0
    assert re.fullmatch(r".*a\.toml: usable, \d+ collectors, \d+ rules, 0 remediations, 1 ticket systems\n", out)


def test_check_prints_every_mistake_with_its_place(tmp_path, run):
    (tmp_path / "a.toml").write_text('[web]\nlisen = 1\n[log]\nlevel = "x\\u001b"')
    code, out, _ = run("check", "--config", tmp_path / "a.toml")
    assert code == 1
    assert out.splitlines() == [
        "error: log.level: unknown value 'x\\x1b'; known: debug, error, info, warning",
        "error: web.lisen: unknown key 'lisen'; did you mean 'listen'?",
    ]


def test_check_names_the_line_of_a_bad_rule(tmp_path, run):
    (tmp_path / "bad.yml").write_text("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up ==\n")
    (tmp_path / "a.toml").write_text("[rules]\nfiles = ['*.yml']")
    code, out, _ = run("check", "--config", tmp_path / "a.toml")
    assert code == 1
    assert f"error: {tmp_path}/bad.yml:5" in out


def test_check_names_a_pattern_that_no_rule_file_fits(tmp_path, run):
    (tmp_path / "a.toml").write_text('[rules]\nfiles = ["*.rules.yml", "rules.d/*.yml"]\n')
    (tmp_path / "own.rules.yml").write_text("groups: []\n")
    code, out, _ = run("check", "--config", tmp_path / "a.toml")
    assert code == 0
    assert f"warning: rules.files[1]: no file is called like {tmp_path}/rules.d/*.yml" in out
    assert "rules.files[0]" not in out


def test_check_fails_on_warnings_only_if_strict(tmp_path, run):
    (tmp_path / "a.toml").write_text("[web]\nopen_ingest = true")
    assert run("check", "--config", tmp_path / "a.toml")[0] == 0
    code, out, _ = run("check", "--strict", "--json", "--config", tmp_path / "a.toml")
    assert code == 1
    assert [problem["path"] for problem in json.loads(out)["problems"]] == ["web.open_ingest"]


def test_check_fails_for_a_rule_without_an_article_only_if_strict(tmp_path, run):
    rules = "{alert: ShopDown, expr: up == 0}, {alert: B, expr: up, annotations: {article: x}}"
    (tmp_path / "rules.yml").write_text(f"groups: [{{name: g, rules: [{rules}]}}]")
    (tmp_path / "a.toml").write_text("[rules]\nfiles = ['rules.yml']\n[knowledge]\nfolders = ['articles']")
    (tmp_path / "articles").mkdir()
    assert run("check", "--config", tmp_path / "a.toml")[0] == 0
    code, out, _ = run("check", "--strict", "--config", tmp_path / "a.toml")
    assert code == 1
    assert "rules.yml:1: rule 'ShopDown': names no article: add the annotation 'article', or write shop-down.md" in out
    assert "rules.yml:1: rule 'B': its article 'x' is missing: write x.md into one of [knowledge] folders" in out
    for name in ("shop-down", "x"):
        (tmp_path / "articles" / f"{name}.md").write_text("# Known")
    assert run("check", "--strict", "--config", tmp_path / "a.toml")[0] == 0


def test_check_names_articles_that_cannot_be_read(tmp_path, run):
    (tmp_path / "a.toml").write_text("[knowledge]\nfolders = ['nowhere']")
    code, out, _ = run("check", "--strict", "--config", tmp_path / "a.toml")
    assert code == 1
    assert f"warning: knowledge.folders: {tmp_path}/nowhere cannot be read: No such file or directory" in out


@pytest.mark.parametrize(
    ("arguments", "path", "shown"),
    [
        (["list"], "articles", "shop-down  draft   Shop is down"),
        (["search", "shop", "slow", "--limit", "3"], "articles?query=shop+slow&limit=3", "it \\x1b[2J is"),
        (["show", "shop-down"], "articles/shop-down", "# Shop\n\n\\x1b[2J"),
        (["draft", "inc1"], "incidents/inc1/article", "# Shop\n\n\\x1b[2J"),
    ],
)
def test_articles_are_read_and_steer_no_terminal(tmp_path, run, arguments, path, shown):
    listed = [{"name": "shop-down", "source": "draft", "title": "Shop is down", "excerpt": "it \x1b[2J is"}]
    answer = listed if arguments[0] in ("list", "search") else listed[0] | {"text": "# Shop\n\n\x1b[2J"}
    with daemon(tmp_path / "sock", {f"GET /control/{path}": (200, answer)}):
        code, out, _ = run("article", *arguments, "--socket", tmp_path / "sock")
    assert code == 0
    assert shown in out
    assert "\x1b" not in out


@pytest.fixture
def procfs(tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "loadavg").write_text("1.50 2 3 1/100 4242\n")
    (tmp_path / "a.toml").write_text("[paths]\nprocfs = 'proc'")
    return tmp_path


def test_collectors_are_run_once_and_print_prometheus_text(procfs, run):
    code, out, complaint = run("collect", "--once", "--only", "loadavg", "--config", procfs / "a.toml")
    assert (code, complaint) == (0, "")
    assert "# TYPE node_load1 gauge\nnode_load1 1.5\n" in out
    assert "node_cpu" not in out


def test_collectors_print_json(procfs, run):
    _, out, _ = run("collect", "--json", "--only", "loadavg", "--config", procfs / "a.toml")
    assert {"name": "node_load5", "labels": {}, "value": 2.0} in json.loads(out)


def test_a_collector_that_was_asked_for_and_fails_fails_the_command(procfs, run):
    code, out, complaint = run("collect", "--only", "loadavg", "meminfo", "--config", procfs / "a.toml")
    assert code == 1
    assert "node_load1 1.5" in out
    assert complaint.startswith("meminfo: ")


def test_an_unknown_collector_is_refused_with_the_nearest(run):
    code, _, complaint = run("collect", "--only", "lodavg")
    assert (code, complaint) == (1, "paramedic: --only: unknown collector 'lodavg'; did you mean 'loadavg'?\n")


def test_a_daemon_that_cannot_start_says_why_in_one_line(tmp_path, run):
    (tmp_path / "a.toml").write_text("[rules]\npacks = ['nope']\n[state]\ndirectory = 'state'\n")
    code, _, complaint = run("run", "--config", tmp_path / "a.toml")
    assert code == 1
    assert complaint == "paramedic: nope: there is no such pack; there are " + complaint.partition("there are ")[2]
    assert complaint.count("\n") == 1


def test_the_version_is_printed(run):
    assert run("version")[1].startswith("paramedic ")
    assert set(json.loads(run("version", "--json")[1])) == {"version", "python"}


def test_a_completion_script_knows_every_command(run):
    pytest.importorskip("shtab")
    script = run("completion", "bash")[1]
    assert [word for word in ("stop-actions", "incident", "--strict") if word not in script] == []


EARNED = {
    "name": "restart-web",
    "steps": ["restart_unit"],
    "mode": "auto",
    "max_mode": "auto",
    "effective_mode": "approve",
    "demoted_at": 1_700_000_000.0,
    "proposals": {
        "correct": 2,
        "wrong": 1,
        "unproven": 4,
        "needed": 3,
        "next_mode": "auto",
        "objection": "the evidence is missing",
    },
    "success": 0.25,
    "judged": 4,
    "target": 0.5,
    "breaker": "open",
    "half_opens_at": 1_700_003_600.0,
    "actions": {"restart_unit": "half_open"},
    "refusals": {"breaker": 2},
}


def test_one_remediation_is_shown_with_what_its_proposals_came_to_and_what_the_next_mode_needs(tmp_path, run):
    with daemon(
        tmp_path / "sock", {"GET /control/remediations": (200, [EARNED | {"mode": "observe", "demoted_at": None}])}
    ):
        code, out, _ = run("remediation", "show", "restart-web", "--socket", tmp_path / "sock")
        unknown, _, said = run("remediation", "show", "nonsuch", "--socket", tmp_path / "sock")
    assert code == 0
    shown = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in out.splitlines())
    assert (shown["mode by configuration"], shown["mode now"]) == ("observe", "approve (promoted)")
    assert [shown[f"proposals {each}"] for each in ("correct", "wrong", "unproven")] == ["2", "1", "4"]
    assert (shown["correct ones needed"], shown["next mode"]) == ("3", "auto")
    assert shown["not promoted because"] == "the evidence is missing"
    assert unknown == 1
    assert "there is no remediation 'nonsuch'; known: restart-web" in said


def test_a_promotion_names_the_mode_that_is_meant_and_its_refusal_is_an_error(tmp_path, run):
    refused = {"error": "restart-web is not promoted: the evidence is missing: 2 of 3"}
    with daemon(tmp_path / "sock", {"POST /control/remediations/restart-web/promote": (409, refused)}) as asked:
        arguments = ["--to", "auto", "--reason", "right", "--socket", tmp_path / "sock"]
        code, _, said = run("remediation", "promote", "restart-web", *arguments)
    assert asked[-1][1] == {"reason": "right", "to": "auto"}
    assert code != 0
    assert "the evidence is missing: 2 of 3" in said


def test_remediations_are_listed_with_what_they_have_earned(tmp_path, run):
    with daemon(tmp_path / "sock", {"GET /control/remediations": (200, [EARNED])}):
        code, out, _ = run("remediation", "list", "--socket", tmp_path / "sock")
    assert code == 0
    header, line = out.splitlines()
    assert header.split() == ["NAME", "STEPS", "MODE", "EFFECTIVE", "PROPOSALS", "VERIFIED", "BREAKER", "REFUSALS"]
    assert "2 of 3 correct, 1 wrong, 4 unproven" in line
    for told in ("approve (demoted)", "25% of 4", "open until 2023-11-1", "restart_unit half_open", "breaker 2"):
        assert told in line


def test_an_approval_names_the_plan_that_waits_and_shows_what_it_would_run(tmp_path, run):
    awaiting = {
        "plan": "0123456789abcdef",
        "argv": ["systemctl", "restart", "--", "my web.service"],
        "undo": ["/bin/no"],
    }
    answers = {
        "GET /control/incidents/inc1": (
            200,
            {**INCIDENT, "awaiting": {**awaiting, "approvers": ["ann"], "until": 2e9}},
        ),
        "POST /control/incidents/inc1/approve": (200, {"ok": 1}),
    }
    with daemon(tmp_path / "sock", answers) as asked:
        arguments = ["incident", "approve", "inc1", "--comment", "go", "--json", "--socket", tmp_path / "sock"]
        code, _, said = run(*arguments)
    assert code == 0
    assert "plan 0123456789abcdef: systemctl restart -- 'my web.service'" in said
    assert "and if it makes things worse: /bin/no" in said
    assert asked[-1] == ("POST /control/incidents/inc1/approve", {"plan": "0123456789abcdef", "comment": "go"})


def test_a_plan_that_is_only_proposed_can_be_approved_too(tmp_path, run):
    proposal = {"plan": "fedcba9876543210", "approvers": ["ann"], "proof": None}
    answers = {
        "GET /control/incidents/inc1": (200, {**INCIDENT, "proposal": proposal, "would_run": ["/bin/true", "it"]}),
        "POST /control/incidents/inc1/approve": (200, {"ok": 1}),
    }
    with daemon(tmp_path / "sock", answers) as asked:
        code, out, said = run("incident", "approve", "inc1", "--socket", tmp_path / "sock")
    assert code == 0
    assert "plan fedcba9876543210: /bin/true it" in said
    assert ("POST /control/incidents/inc1/approve", {"plan": "fedcba9876543210", "comment": ""}) in asked
    assert "may let it run  ann" in re.sub(" {2,}", "  ", out)


def test_oncall_tells_whom_to_call_and_who_follows(tmp_path, run):
    row = {"rota": "web", "team": "web", "person": "ann", "contact": "+49 30\x1b[2J", "until_local": "Mon 09:00 UTC"}
    rows = [row | {"next": "bob", "services": ["shop", "mail"]}, row | {"person": "", "next": "", "services": []}]
    with daemon(tmp_path / "sock", {"GET /control/oncall?at=1800000000.0": (200, rows)}):
        code, out, _ = run("oncall", "--at", "1800000000", "--socket", tmp_path / "sock")
    assert code == 0
    _, first, second = out.splitlines()
    assert first.split()[:3] == ["web", "web", "ann"]
    assert "shop, mail" in first
    assert "\x1b" not in out
    assert second.split()[2] == "-"


@pytest.mark.parametrize(
    ("arguments", "body", "said"),
    [
        (
            ["bob", "--for", "4h", "--reason", "ill"],
            {"person": "bob", "seconds": 14400.0, "reason": "ill"},
            "bob is on",
        ),
        (["--end"], {"person": "", "seconds": 0.0, "reason": ""}, "bob is on"),
    ],
)
def test_somebody_stands_in_for_a_while(tmp_path, run, arguments, body, said):
    answer = {"rota": "web", "person": "bob", "until": None}
    with daemon(tmp_path / "sock", {"POST /control/oncall": (200, answer)}) as asked:
        code, out, _ = run("oncall", "stand-in", "web", *arguments, "--socket", tmp_path / "sock")
    assert (code, asked) == (0, [("POST /control/oncall", {"rota": "web"} | body)])
    assert out.startswith(said)


def test_oncall_without_rotas_says_how_to_make_one(tmp_path, run):
    with daemon(tmp_path / "sock", {"GET /control/oncall": (200, [])}):
        _, out, _ = run("oncall", "--socket", tmp_path / "sock")
    assert "[[rotas]]" in out
