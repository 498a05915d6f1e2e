"""Policy from the configuration: what the daemon would ask for is allowed, and nothing beside it."""

import os

import pytest

from agent.config.load import load
from agent.install.policies import MARK, policies
from remediations.exec_helper import policy as helper_policy
from remediations.exec_helper.policy import SETTINGS
from remediations.exec_helper.trust import Trust

CONFIG = """
[guards]
units = ["a.service"]
actions_per_hour = 30
script_dirs = ["{scripts}"]
[[remediations]]
name = "units"
match = ['alertname="A"']
limits = {{ runs = 4, per = "2h" }}
steps = [
  {{ action = "restart_unit", unit = "{{{{ $labels.name }}}}", timeout = "90s" }},
  {{ action = "reload_unit", unit = "b.service" }},
]
[[remediations]]
name = "more-units"
match = ['alertname="B"']
compensate = {{ action = "try_restart_unit", unit = "c.service" }}
limits = {{ runs = 3 }}
steps = [{{ action = "restart_unit", unit = "c.service" }}]
[[remediations]]
name = "others"
match = ['alertname="C"']
steps = [
  {{ action = "free_space", root = "/var/log/{{{{ $labels.app }}}}", patterns = ["*.log"], older_than = "1d" }},
  {{ action = "kill_process", pidfile = "{{{{ $labels.pidfile }}}}" }},
  {{ action = "run_script", script = "mend.sh", arguments = ["--app={{{{ $labels.app }}}}", "{{x}}"], user = "app", writable = ["/srv/app"] }},
  {{ action = "run_script", script = "mend.sh" }},
  {{ action = "run_script", script = "mend.sh", arguments = ["now"], user = "root" }},
]
"""  # noqa: E501


@pytest.fixture
def scripts(tmp_path):
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "mend.sh").write_text("#!/bin/sh\n")
    (folder / "mend.sh").chmod(0o755)
    return folder


@pytest.fixture
def made(tmp_path, scripts):
    """Return a function: configuration -> the policies as the helper reads them, by file name."""

    def make(text=CONFIG):
        (tmp_path / "paramedic.toml").write_text(text.format(scripts=scripts))
        found = policies(load(tmp_path / "paramedic.toml", {}))
        folder = tmp_path / "actions.d"
        folder.mkdir(exist_ok=True, mode=0o755)
        for name, content in found.files.items():
            (folder / name).write_text(content)
            (folder / name).chmod(0o644)
        trust = Trust(owner=os.geteuid(), top=str(tmp_path))
        make.problems = found.problems
        make.texts = found.files
        return {name: helper_policy.load(str(folder / name), trust) for name in found.files}

    return make


def test_the_helper_reads_what_install_writes(made):
    read = made()
    assert sorted(read) == [
        "others.1.toml",
        "others.2.toml",
        "others.3.toml",
        "others.4.toml",
        "others.5.toml",
        "reload_unit.toml",
        "restart_unit.toml",
        "try_restart_unit.toml",
    ]
    assert made.problems == ()
    assert all(text.startswith(MARK) for text in made.texts.values())


def test_a_verb_is_allowed_for_listed_units_and_bounded_by_all_who_use_it(made):
    restart = made()["restart_unit.toml"]
    words = ("systemctl", "--no-ask-password", "restart", "--")
    assert [restart.allows((*words, unit)) for unit in ("a.service", "b.service", "c.service")] == [True] * 3
    assert not restart.allows((*words, "dbus.service"))
    assert (restart.runs, restart.per_seconds, restart.host_runs_per_hour) == (7, 7200, 30)
    assert restart.timeout_seconds >= 90
    assert (restart.user, restart.capabilities, restart.network) == ("root", (), False)


def test_templates_become_holes_that_hold_no_option_and_no_way_up(made):
    free = made()["others.1.toml"]
    argv = ("python3", *free.argv[1:4])

    def allows(root):
        return free.allows((*argv, f"--root={root}", "--older-than-seconds=86400", "--pattern=*.log"))

    assert allows("/var/log/nginx")
    assert allows("/var/log/nginx/old")
    assert not allows("/var/log/../../etc")
    assert not allows("/var/log/a b")
    assert not allows("/etc")
    assert free.writable == ("/var/log",)
    assert [path.endswith("scripts/free_space.py") for path in free.files] == [True]


def test_a_template_that_is_a_whole_path_may_be_any_path(made):
    kill = made()["others.2.toml"]
    assert kill.allows(("/usr/bin/python3", *kill.argv[1:5], "--pidfile=/run/web.pid"))
    assert not kill.allows(("/usr/bin/python3", *kill.argv[1:5], "--pidfile=/run/../etc/x"))


def test_scripts_run_as_the_step_says_and_by_default_as_nobody_else(made, scripts):
    read = made()
    app, nobody, root = (read[f"others.{number}.toml"] for number in (3, 4, 5))
    assert (app.user, app.writable, app.capabilities, app.network) == ("app", ("/srv/app",), (), True)
    assert (nobody.user, nobody.writable) == ("", ())
    assert root.user == "root"
    assert "CAP_SYS_ADMIN" not in root.capabilities
    assert app.allows((f"{scripts}/mend.sh", "--app=web", "{x}"))
    assert not app.allows((f"{scripts}/mend.sh", "--app=$(id)", "{x}"))
    assert not app.allows((f"{scripts}/mend.sh", "--app=web", "other"))


def test_what_cannot_be_planned_is_named_and_the_rest_allowed(made):
    read = made(CONFIG.replace('root = "/var/log/{{{{ $labels.app }}}}"', 'root = "{{{{ $labels.mountpoint }}}}/log"'))
    assert "others.1.toml" not in read
    assert len(read) == 7
    assert [problem.startswith("others, step 1 (free_space): root:") for problem in made.problems] == [True]


def test_no_listed_unit_means_no_policy_for_units(made):
    text = CONFIG.replace('units = ["a.service"]', "").replace('unit = "b.service"', 'unit = "{{{{ $labels.b }}}}"')
    read = made(text.replace('unit = "c.service"', 'unit = "{{{{ $labels.c }}}}"'))
    assert not any("unit" in name for name in read)
    assert ["no unit is listed" in problem for problem in made.problems] == [True, True, True]


def test_what_leaves_a_process_behind_gets_no_policy(made):
    text = '[[remediations]]\nname="r"\nmatch=[\'a="b"\']\nsteps=[{{action="restart_command",argv=["/bin/x"]}}]\n'
    assert made(text) == {}


def test_every_setting_of_a_policy_is_written(made):
    made()
    names = set(SETTINGS) - {"name", "words"}
    for text in made.texts.values():
        assert {line.partition(" =")[0] for line in text.partition("[words]")[0].splitlines() if " = " in line} == names
