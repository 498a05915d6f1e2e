"""The contract that every action keeps, whatever it is told, and what each plans."""

import dataclasses
import os
import re
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remediations import parameters
from remediations.kinds import FlagKind, Kind, ListKind
from remediations.plan import Plan, PlanError
from remediations.registry import ACTIONS, action, plan
from remediations.spec import Context

HOSTILE = [
    "",
    " ",
    "-",
    "--force",
    "-rf",
    "$(reboot)",
    "`reboot`",
    "x;reboot",
    "x|reboot",
    "x&reboot",
    "x\nreboot",
    "x\n",
    "\nx",
    "x\0",
    "x\r",
    "x\x1b[2J",
    "$PATH",
    "${PATH}",
    "$$",
    "%n",
    "x y",
    "x'y",
    'x"y',
    "x\\y",
    "x>y",
    "x<y",
    "*",
    "~",
    "#x",
    "!x",
    "../../etc/passwd",
    "/../etc/passwd",
    "/etc/../etc/passwd",
    "x/../y",
    "нет",
    "\uff58.service",
    "\u202ex",
    "{{ $labels.other }}",
    "x" * 1_000_000,
]


@pytest.fixture(scope="session")
def context(tmp_path_factory):
    scripts = tmp_path_factory.mktemp("scripts")
    script = scripts / "mend.sh"
    script.write_text("#!/bin/sh\necho mended $*\n")
    script.chmod(0o755)
    return Context(script_dirs=(scripts,))


GOOD = {
    "restart_unit": {"unit": "nginx.service"},
    "try_restart_unit": {"unit": "foo@bar.service"},
    "reload_unit": {"unit": "nginx.service"},
    "reset_failed_unit": {"unit": r"dev-disk\x2dby.mount"},
    "restart_command": {"argv": ["/usr/bin/service", "--port", "80 81"], "name": "web"},
    "run_script": {"script": "mend.sh", "arguments": ["--all", "a b"], "name": "web"},
    "kill_process": {"pidfile": "/run/web.pid", "command": "web", "grace": "2s"},
    "trigger_timer": {"timer": "backup.timer", "unit": "backup-now.service"},
    "restart_container": {"container": "web", "engine": "podman", "grace": "5s"},
    "http_call": {"url": "http://127.0.0.1:8080/flush", "method": "PUT", "token_file": "/etc/paramedic/token"},
    "renice_process": {"pidfile": "/run/web.pid", "nice": "10", "io": "idle"},
    "vacuum_journal": {"keep": "500MiB"},
    "reboot_host": {},
    "free_space": {"root": "/var/log/app", "patterns": ["*.log"], "older_than": "7d", "keep_free": "500MiB"},
}
TEMPLATED = {
    "restart_unit": {"unit": "{{ $labels.x }}"},
    "try_restart_unit": {"unit": "{{$labels.x}}"},
    "reload_unit": {"unit": "{{ $labels.x }}"},
    "reset_failed_unit": {"unit": "{{ $labels.x }}"},
    "restart_command": {"argv": ["/usr/bin/service", "{{ $labels.x }}"]},
    "run_script": {"script": "mend.sh", "arguments": ["{{ $labels.x }}"]},
    "kill_process": {"command": "{{ $labels.x }}"},
    "trigger_timer": {"timer": "{{ $labels.x }}"},
    "restart_container": {"container": "{{ $labels.x }}"},
    "renice_process": {"command": "{{ $labels.x }}"},
    "free_space": GOOD["free_space"] | {"root": "{{ $labels.x }}"},
}
MAY_HOLD_TEMPLATES = {"unit", "name", "command", "pidfile", "root", "timer", "container", "token_file"}
UNTEMPLATED = {"http_call", "vacuum_journal", "reboot_host"}
"""Actions in which no alert has a word."""


def literal(template):
    raise AssertionError(f"{template} needs no rendering here")


def test_every_action_is_tried_here():
    assert set(GOOD) == set(TEMPLATED) | UNTEMPLATED == set(ACTIONS)


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_is_described_and_listed_under_its_name(name):
    spec = ACTIONS[name]
    assert spec.name == name
    assert re.fullmatch("[a-z]+(_[a-z]+)+", name)
    assert spec.summary.endswith(".")
    assert dataclasses.is_dataclass(spec.parameters)
    assert spec.parameters.__dataclass_params__.frozen
    assert parameters.declared(spec)
    assert all(isinstance(kind, Kind | ListKind | FlagKind) for kind, _ in parameters.declared(spec).values())


@pytest.mark.parametrize("name", ACTIONS)
def test_a_plan_is_an_argv_of_words_with_a_resource_and_no_shell(name, context):
    made = plan(name, GOOD[name], context, literal)
    assert isinstance(made, Plan)
    assert isinstance(made.argv, tuple)
    assert all(type(word) is str and word for word in made.argv)
    assert made.argv[0] == "systemctl" or Path(made.argv[0]).is_absolute()
    assert Path(made.argv[0]).name not in {"sh", "bash", "dash", "env", "sudo"}
    assert re.fullmatch(r"(unit|command|script|process|path|container|url|host):\S+", made.resource)
    assert parameters.check(ACTIONS[name], GOOD[name]) == []


@pytest.mark.parametrize("name", ACTIONS)
def test_only_systemctl_runs_as_a_unit_verb(name, context):
    made = plan(name, GOOD[name], context, literal)
    assert ACTIONS[name].unit_verb == (made.argv[0] == "systemctl")
    if ACTIONS[name].unit_verb:
        assert made.argv[1:4:2] == ("--no-ask-password", "--")
        assert made.argv[2] in {"restart", "try-restart", "reload", "reset-failed"}
        assert len(made.argv) == 5


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: ascii(value)[:30])
@pytest.mark.parametrize("name", TEMPLATED)
def test_hostile_text_in_a_label_is_refused_with_the_parameter_named(name, value, context):
    with pytest.raises(PlanError) as refused:
        plan(name, TEMPLATED[name], context, lambda _: value)
    message = str(refused.value)
    assert re.match(r"\w+: ", message)
    assert message.isprintable()
    assert message.isascii()
    assert len(message) < 500


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(value=st.text() | st.from_regex(r"[a-z./;$ -]{1,20}(\.service)?", fullmatch=True))
@pytest.mark.parametrize("name", TEMPLATED)
def test_any_label_becomes_one_harmless_word_or_is_refused(name, context, value):
    try:
        made = plan(name, TEMPLATED[name], context, lambda _: value)
    except PlanError:
        return
    harmless = plan(name, TEMPLATED[name], context, lambda _: "/tmp/x" if name == "free_space" else "x.service")
    assert len(made.argv) == len(harmless.argv)
    assert re.fullmatch(r"[A-Za-z0-9._:/@%+=,~\\-]+", value)
    made_of_it = [word for word, other in zip(made.argv, harmless.argv, strict=True) if word != other]
    assert not any(word.startswith("-") for word in made_of_it if "=" not in word)


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: ascii(value)[:30])
@pytest.mark.parametrize(
    ("name", "parameter"),
    [(name, parameter) for name, raw in GOOD.items() for parameter in raw],
)
def test_hostile_text_in_the_configuration_is_refused_at_load(name, parameter, value):
    given = GOOD[name][parameter]
    raw = GOOD[name] | {parameter: [value] if isinstance(given, list) else value}
    if parameter == "arguments" and value.isascii() and value.isprintable() and 0 < len(value) < 99:
        return  # the operator's own words may hold anything printable: no shell reads them
    if "{{" in value and parameter in MAY_HOLD_TEMPLATES:
        return
    assert [problem for problem in parameters.check(ACTIONS[name], raw) if problem.startswith(f"{parameter}: ")]


@pytest.mark.parametrize("value", [None, 1, 1.5, True, {}, [["x"]], [None], [1]])
@pytest.mark.parametrize(
    ("name", "parameter"),
    [(name, parameter) for name, raw in GOOD.items() for parameter in raw],
)
def test_values_of_another_type_are_refused(name, parameter, value):
    problems = parameters.check(ACTIONS[name], GOOD[name] | {parameter: value})
    assert problems[0].startswith(f"{parameter}: ")


@pytest.mark.parametrize("name", ACTIONS)
def test_a_missing_and_an_unknown_parameter_are_named_at_once(name):
    required = [each for each, (_, needed) in parameters.declared(ACTIONS[name]).items() if needed]
    problems = parameters.check(ACTIONS[name], {"nonsense": "x"})
    assert problems[0].startswith("'nonsense': no such parameter")
    assert [problem.split(":")[0] for problem in problems[1:]] == required


def test_a_mistyped_name_is_answered_with_the_nearest_one():
    assert "did you mean unit?" in parameters.check(ACTIONS["restart_unit"], {"unti": "x.service"})[0]
    with pytest.raises(PlanError, match=r"did you mean restart_unit\?"):
        action("restart_unti")


@pytest.mark.parametrize(
    "unit",
    [
        "reboot.target",
        "user.slice",
        "foo@.service",
        "nginx",
        "systemd-poweroff.service",
        "systemd-suspend.service",
        "a.service b.service",
        "nginx.service.",
        ".service",
        "a" * 250 + ".service",
    ],
)
def test_units_that_move_the_host_or_are_none_are_refused(unit, context):
    with pytest.raises(PlanError, match=r"^unit: "):
        plan("restart_unit", {"unit": unit}, context, literal)


def test_a_template_fills_one_word_and_is_not_rendered_twice(context):
    made = plan("restart_unit", {"unit": "{{ $labels.name }}"}, context, {"{{ $labels.name }}": "a.service"}.get)
    assert made.argv[-1] == "a.service"
    assert made.resource == "unit:a.service"


@pytest.mark.parametrize(
    "template", ["{{ .Labels.x }}", "{{ $labels.x | toUpper }}", "{{ query `up` }}", "{{", "{{ $x }}"]
)
def test_other_templates_are_refused_at_load(template):
    assert "template" in parameters.check(ACTIONS["restart_unit"], {"unit": template})[0]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("run_script", {"script": "{{ $labels.x }}"}),
        ("restart_command", {"argv": ["{{ $labels.x }}"]}),
        ("restart_command", {"argv": ["/bin/{{ $labels.x }}"]}),
        ("free_space", {"patterns": ["{{ $labels.x }}"]}),
        ("free_space", {"older_than": "{{ $value }}s"}),
    ],
)
def test_what_runs_and_what_is_deleted_is_never_templated(name, change):
    assert "may hold no template" in parameters.check(ACTIONS[name], GOOD[name] | change)[0]


def test_words_after_a_template_are_checked_at_load_too():
    raw = {"argv": ["/bin/service", "{{ $labels.x }}", "bad\nword"]}
    assert parameters.check(ACTIONS["restart_command"], raw) == [
        "argv: 'bad\\nword' holds a control character or one outside ASCII"
    ]


@pytest.mark.parametrize("argv", [[], ["service"], ["./service"], ["-x"], ["/bin/../bin/sh"], "/bin/service"])
def test_a_command_begins_with_an_absolute_path(argv):
    assert parameters.check(ACTIONS["restart_command"], {"argv": argv})[0].startswith("argv: ")


def test_a_command_without_a_name_is_its_programs_resource(context):
    assert plan("restart_command", {"argv": ["/bin/web", "x"]}, context, literal).resource == "command:/bin/web"


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("2m", 120), ("1h30m", 5400), ("7d", 604800), ("1w", 604800)]
)
def test_a_duration_is_read(text, seconds, context):
    made = plan("free_space", GOOD["free_space"] | {"older_than": text}, context, literal)
    assert f"--older-than-seconds={seconds}" in made.argv


@pytest.mark.parametrize("text", ["", "0s", "5", "s", "1.5h", "-1s", "1s1m", "1 s"])
def test_what_is_no_duration_is_refused(text):
    assert parameters.check(ACTIONS["free_space"], GOOD["free_space"] | {"older_than": text})


@pytest.mark.parametrize(("text", "size"), [("1B", 1), ("500MiB", 500 * 2**20), ("2GB", 2 * 10**9), ("1TiB", 2**40)])
def test_a_size_is_read(text, size, context):
    made = plan("free_space", GOOD["free_space"] | {"keep_free": text}, context, literal)
    assert f"--keep-free-bytes={size}" in made.argv


@pytest.mark.parametrize("text", ["", "0B", "5", "MiB", "1.5MiB", "-1B", "1XB", "1iB"])
def test_what_is_no_size_is_refused(text):
    assert parameters.check(ACTIONS["free_space"], GOOD["free_space"] | {"keep_free": text})


@pytest.mark.parametrize("root", ["/etc", "/var", "/home/me", "/var/logs"])
def test_free_space_stays_inside_the_allowed_roots(root, context):
    with pytest.raises(PlanError, match=r"^root: .* not inside"):
        plan("free_space", GOOD["free_space"] | {"root": root}, context, literal)


@pytest.mark.parametrize("pattern", ["*", "?*", "[!a]", "a/b", ".*", "-a"])
def test_a_pattern_that_matches_nearly_everything_or_a_path_is_refused(pattern):
    problems = parameters.check(ACTIONS["free_space"], GOOD["free_space"] | {"patterns": [pattern]})
    assert problems[0].startswith("patterns: ")


def test_kill_process_needs_to_know_which():
    assert "one of them" in parameters.check(ACTIONS["kill_process"], {"grace": "1s"})[0]
    assert "every" in parameters.check(ACTIONS["kill_process"], {"pidfile": "/run/x", "every": True})[0]


def refuse_script(context, name="mend.sh"):
    with pytest.raises(PlanError, match=r"^script: ") as refused:
        plan("run_script", {"script": name}, context, literal)
    return str(refused.value)


@pytest.fixture
def scripts(tmp_path):
    script = tmp_path / "mend.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    return tmp_path


def test_a_script_runs_by_its_bare_name_with_its_arguments(scripts):
    raw = {"script": "mend.sh", "arguments": ["--now", "a b"], "name": "web"}
    made = plan("run_script", raw, Context(script_dirs=(scripts,)), literal)
    assert made.argv == (str(scripts / "mend.sh"), "--now", "a b")
    assert made.resource == "script:mend.sh:web"


def test_a_script_that_is_nowhere_is_refused(scripts):
    assert "none of the script directories" in refuse_script(Context(script_dirs=(scripts,)), "other.sh")
    assert "no directory is configured" in refuse_script(Context())


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_a_script_that_others_may_write_is_refused(scripts, mode):
    (scripts / "mend.sh").chmod(mode)
    assert "chmod go-w" in refuse_script(Context(script_dirs=(scripts,)))


def test_a_script_in_a_directory_that_others_may_write_is_refused(scripts):
    below = scripts / "below"
    below.mkdir()
    (scripts / "mend.sh").rename(below / "mend.sh")
    scripts.chmod(0o777)
    assert f"others may write {scripts}" in refuse_script(Context(script_dirs=(below,)))


def test_a_script_that_is_a_link_or_a_directory_is_refused(scripts):
    (scripts / "link.sh").symlink_to("/bin/true")
    (scripts / "directory.sh").mkdir()
    for name in ("link.sh", "directory.sh"):
        assert "no regular file" in refuse_script(Context(script_dirs=(scripts,)), name)


def test_a_script_that_is_not_executable_is_refused(scripts):
    (scripts / "mend.sh").chmod(0o644)
    assert "chmod u+x" in refuse_script(Context(script_dirs=(scripts,)))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_script_of_another_user_is_refused(scripts):
    os.chown(scripts / "mend.sh", 12345, -1)
    assert "belongs to user 12345, not to root or to us: chown root" in refuse_script(Context(script_dirs=(scripts,)))


@pytest.mark.parametrize("name", ["kill_process", "free_space"])
def test_our_own_scripts_are_shipped_and_run_isolated(name, context):
    made = plan(name, GOOD[name], context, literal)
    assert made.argv[1:3] == ("-I", "-S")
    assert stat.S_ISREG(Path(made.argv[3]).stat().st_mode)


def test_only_what_restarts_the_host_needs_a_person_and_it_runs_once_a_day(context):
    assert [name for name, spec in ACTIONS.items() if spec.restarts_host] == ["reboot_host"]
    assert (ACTIONS["reboot_host"].limits.runs, ACTIONS["reboot_host"].limits.per) == (1, 86_400)
    made = plan("reboot_host", {"despite_inhibitors": True}, context, literal)
    assert made.argv[-1] == "--despite-inhibitors"
