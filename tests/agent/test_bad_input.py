"""Bad input, as whoever wrote it meets it: `paramedic check` names each mistake, its place and what was meant.

Shapes of mistakes are tried one by one in tests/agent/config, tests/rules/test_rulefile.py and tests/remediations; here
each kind once, together, through the command. What only a running daemon can meet is in tests/acceptance.
"""

import os
from pathlib import Path

import pytest

from agent.cli.main import main


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Check a configuration, with files beside it; return exit code and lines, the directory left out."""
    for name in [name for name in os.environ if name.startswith("PARAMEDIC_")]:
        monkeypatch.delenv(name)

    def check(text: str, **files: str | bytes) -> tuple[int, list[str]]:
        for name, content in files.items():
            (tmp_path / f"{name}.yml").write_bytes(content.encode() if isinstance(content, str) else content)
        (tmp_path / "a.toml").write_text(text)
        code = main(["check", "--config", str(tmp_path / "a.toml")])
        return code, capsys.readouterr().out.replace(f"{tmp_path}/", "").splitlines()

    return check


def test_all_unknown_and_mistyped_keys_are_named_at_once_with_their_path_and_the_nearest_key(said):
    code, lines = said("""
        [rule]
        [web]
        lisen = "127.0.0.1:1"
        open_ingest = "yes"
        [collectors.cpu]
        intervall = "5s"
        [collectors.filsystem]
        [incidents]
        settle = 5
        [[tickets]]
        system = "rtt"
        [[remediations]]
        name = "a"
        match = ['alertname="A"']
        steps = [{ action = "restart_unit", unit = "a.service" }]
        limits = { atempts = 3 }
    """)
    assert code == 1
    wanted = {
        "rule: unknown table 'rule'; did you mean 'rules'?",
        "web.lisen: unknown key 'lisen'; did you mean 'listen'?",
        "collectors.cpu.intervall: unknown key 'intervall'; did you mean 'interval'?",
        "collectors.filsystem: unknown collector 'filsystem'; did you mean 'filesystem'?",
        "remediations[0].limits.atempts: unknown key 'atempts'; did you mean 'attempts'?",
    }
    assert wanted <= {line.removeprefix("error: ") for line in lines}
    for path in ("web.open_ingest", "incidents.settle", "tickets[0].system"):
        assert any(line.startswith(f"error: {path}: ") for line in lines), (path, lines)


def test_limits_of_zero_or_less_are_named_at_once(said):
    code, lines = said("""
        [guards]
        max_parallel = 0
        actions_per_hour = -1
        [[remediations]]
        name = "a"
        match = ['alertname="A"']
        steps = [{ action = "restart_unit", unit = "a.service", timeout = "0s" }]
        limits = { attempts = 0, runs = -3, per = "0s" }
        verify = { hold = "-1s" }
    """)
    assert code == 1
    for path in (
        *("guards.max_parallel", "guards.actions_per_hour", "remediations[0].steps[0].timeout"),
        *("remediations[0].limits.attempts", "remediations[0].limits.runs", "remediations[0].limits.per"),
        "remediations[0].verify.hold",
    ):
        assert any(line.startswith(f"error: {path}: ") for line in lines), (path, lines)


def test_a_web_configuration_that_cannot_be_used_is_an_error_and_one_without_tls_on_the_network_a_warning(said):
    web = '[rules]\npacks = []\n[web]\nlisten = "0.0.0.0:0"\nconfig_file = "web.yml"'
    code, lines = said(web, web="tls_server_config: {cert_file: nowhere.crt, key_file: nowhere.key}")
    assert code == 1
    assert "error: web.config_file: web.yml: nowhere.crt, nowhere.key: No such file or directory" in lines
    code, lines = said(web, web="basic_auth_users: {}")
    assert code == 0
    assert any(line.startswith("warning: web.listen: is open to the network, and config_file has no") for line in lines)


RULES = '[rules]\npacks = []\nfiles = ["*.yml"]\n'


def test_bad_promql_is_shown_with_file_line_column_and_rule(said):
    code, lines = said(RULES, bad="groups:\n- name: g\n  rules:\n  - alert: A\n    expr: sum(up\n")
    assert code == 1
    assert lines == ["error: bad.yml:5:11: rule 'A': expr: unclosed left parenthesis"]


def test_a_duplicate_group_is_shown_with_both_places(said):
    group = "- name: g\n  rules:\n  - {alert: A, expr: up}\n"
    code, lines = said(RULES, twice=f"groups:\n{group}{group}")
    assert code == 1
    assert lines == ["error: twice.yml:5:3: group 'g' is there twice (first in line 2)"]


def test_every_rule_file_that_cannot_be_read_is_shown_with_the_reason(said, tmp_path: Path):
    (tmp_path / "folder.yml").mkdir()
    (tmp_path / "link.yml").symlink_to("nowhere")
    (tmp_path / "locked.yml").write_text("groups: []")
    (tmp_path / "locked.yml").chmod(0)
    code, lines = said(RULES, bytes=b"groups:\n- name: \xff\n")
    assert code == 1
    wanted = [
        "error: bytes.yml:2: not UTF-8",
        "error: folder.yml: cannot be read: Is a directory",
        "error: link.yml: cannot be read: No such file or directory",
    ]
    if os.geteuid() != 0:
        wanted.append("error: locked.yml: cannot be read: Permission denied")
    assert lines == wanted


def test_an_unknown_action_and_an_odd_script_are_named_with_what_there_is(said, tmp_path: Path):
    (tmp_path / "scripts").mkdir()
    code, lines = said("""
        [guards]
        script_dirs = ["scripts"]
        [[remediations]]
        name = "a"
        match = ['alertname="A"']
        steps = [
          { action = "restart_unti", unit = "a.service" },
          { action = "run_script", script = "../elsewhere.sh" },
        ]
    """)
    assert code == 1
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 2
    assert "did you mean 'restart_unit'?" in errors[0]
    assert errors[1].startswith("error: remediations[0].steps[1]: script")


def test_what_a_step_needs_and_the_host_has_not_is_an_error_for_a_script_and_a_warning_for_a_program(said, tmp_path):
    (tmp_path / "scripts").mkdir()
    (tmp_path / "elsewhere.sh").write_text("#!/bin/sh\n")
    (tmp_path / "scripts" / "open.sh").write_text("#!/bin/sh\n")
    (tmp_path / "scripts" / "open.sh").chmod(0o777)
    config = """
        [guards]
        script_dirs = ["scripts"]
        [[remediations]]
        name = "a"
        match = ['alertname="SystemdUnitFailed"']
        steps = [
          { action = "run_script", script = "elsewhere.sh" },
          { action = "run_script", script = "open.sh" },
          { action = "restart_command", argv = ["/nonexistent/start"] },
          { action = "restart_command", argv = ["/bin/true"] },
        ]
        diagnostics = [["true"], ["nonesuch", "--all"]]
        precondition_command = ["true"]
    """
    code, lines = said(config)
    assert code == 1
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 2
    assert errors[0].startswith("error: remediations[0].steps[0]: script: elsewhere.sh is in none of the script dir")
    assert "others may write" in errors[1]
    unseen = " is no program on this host, or not one that this user may run"
    assert [line.removesuffix(unseen) for line in lines if line.endswith(unseen)] == [
        "warning: remediations[0].diagnostics[1]: nonesuch",
        "warning: remediations[0].steps[2].argv: /nonexistent/start",
    ]
    (tmp_path / "elsewhere.sh").rename(tmp_path / "scripts" / "elsewhere.sh")
    for script in (tmp_path / "scripts").iterdir():
        script.chmod(0o700)
    assert said(config)[0] == 0


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        (
            "limits = { runs = 1 }",
            "remediations[0]: limits.runs (1) must be at least the number of steps (2), or no pass is ever completed",
        ),
        (
            "breaker = { failures = 6, of = 5 }",
            "remediations[0].breaker: failures (6) must not be more than of (5), or it never opens",
        ),
        ("limits = { runs = 0 }", "remediations[0].limits.runs: must be above zero"),
        ("target = { success = 2.0 }", "remediations[0].target.success: must be 1 at most"),
        ("approvers = ['an approver']", "remediations[0].approvers[0]: must be a name such as"),
        ('diagnostics = [["ls", "a\\nb"]]', r"remediations[0]: diagnostics: 'a\nb' holds a control character"),
        (
            "diagnostics = [['{{ $labels.name }}']]",
            "remediations[0]: diagnostics: '{{ $labels.name }}' may hold no template",
        ),
        (
            "diagnostics = [['a'], ['b'], ['c'], ['d'], ['e']]",
            "remediations[0]: diagnostics must be 4 commands at most",
        ),
        ("precondition_command = ['-rf']", "remediations[0]: precondition_command: '-rf' begins with"),
        (
            "compensate = { action = 'restart_unit', unti = 'a.service' }",
            "remediations[0].compensate: 'unti': no such parameter; did you mean unit?",
        ),
        ("compensate = { action = 'restart' }", "remediations[0].compensate.action: unknown action 'restart'"),
    ],
)
def test_limits_that_contradict_and_commands_that_are_none_are_named(said, more, wanted):
    code, lines = said(f"""
        [[remediations]]
        name = "a"
        match = ['alertname="A"']
        steps = [{{ action = "restart_unit", unit = "a.service" }}, {{ action = "reload_unit", unit = "a.service" }}]
        {more}
    """)
    assert code == 1
    assert any(line.startswith(f"error: {wanted}") for line in lines), lines


def test_limits_of_an_action_that_there_is_not_are_named(said):
    code, lines = said("[actions.restart_unti]\nlimits = { runs = 2 }")
    assert code == 1
    assert "error: actions.restart_unti: unknown action 'restart_unti'; did you mean 'restart_unit'?" in lines
