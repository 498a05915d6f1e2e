"""`paramedic install`: everything at its place, owned by root, and nothing changed the second time."""

import hashlib
import importlib.util
import io
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from agent.cli.main import main
from agent.config.load import load
from agent.install.bundle import bundle
from agent.install.layout import layout
from agent.install.putting import installing
from remediations.exec_helper.trust import Trust

CONFIG = """
[[remediations]]
name = "web"
match = ['alertname="A"']
steps = [{ action = "restart_unit", unit = "web.service" }]
"""
TREE = Path(__file__).parents[3]
HELPER = "usr/lib/paramedic/exec-helper.pyz"
POLICY = "etc/paramedic/actions.d/restart_unit.toml"
POLKIT = "etc/polkit-1/rules.d/50-paramedic.rules"


@pytest.fixture
def install(tmp_path, capsys):
    """Return a function that installs below a root of its own, and says what was done."""
    (tmp_path / "paramedic.toml").write_text(CONFIG)
    root = tmp_path / "root"
    root.mkdir(mode=0o755)

    def command(*arguments):
        config = ("--config", str(tmp_path / "paramedic.toml"), "--root", str(root))
        install.code = main(["install", *config, *arguments])
        return capsys.readouterr().out.splitlines()

    install = command
    command.root = root
    command.config = tmp_path / "paramedic.toml"
    return command


def test_everything_is_at_its_place_and_the_second_time_nothing_is_done(install):
    said = install()
    assert install.code == 0
    assert {line.removeprefix("write /") for line in said} == {
        str(path.relative_to(install.root)) for path in install.root.rglob("*") if path.is_file()
    }
    assert {HELPER, POLICY, "etc/systemd/system/paramedic-exec.socket"} <= {
        line.removeprefix("write /") for line in said
    }
    assert install() == []


def test_what_root_believes_in_can_be_believed(install):
    old = os.umask(0o000)
    try:
        install()
    finally:
        os.umask(old)
    trust = Trust(owner=os.geteuid(), top=str(install.root))
    for name in (HELPER, POLICY):
        trust.read(str(install.root / name))


def test_a_file_that_was_changed_is_written_again(install):
    install()
    (install.root / POLICY).write_text("argv = ['/bin/sh']\n")
    (install.root / HELPER).chmod(0o666)
    assert sorted(install()) == [f"write /{POLICY}", f"write /{HELPER}"]
    assert stat.S_IMODE((install.root / HELPER).stat().st_mode) == 0o644
    assert install() == []


def test_a_link_in_the_place_of_a_file_is_replaced_and_what_it_leads_to_left_alone(install, tmp_path):
    install()
    (tmp_path / "mine").write_text("precious")
    (install.root / POLICY).unlink()
    (install.root / POLICY).symlink_to(tmp_path / "mine")
    assert install() == [f"write /{POLICY}"]
    assert (tmp_path / "mine").read_text() == "precious"
    assert not (install.root / POLICY).is_symlink()


def test_a_policy_that_the_configuration_no_longer_needs_goes_and_the_administrators_own_stay(install):
    install()
    own = install.root / "etc/paramedic/actions.d/own.toml"
    own.write_text("argv = ['/bin/true']\n")
    install.config.write_text(CONFIG.replace("restart_unit", "reload_unit"))
    assert sorted(install()) == [
        "remove /etc/paramedic/actions.d/restart_unit.toml",
        "write /etc/paramedic/actions.d/reload_unit.toml",
    ]
    assert own.exists()


def test_a_dry_run_only_tells(install):
    said = install("--dry-run")
    assert f"would write /{POLICY}" in said
    assert list(install.root.iterdir()) == []


def test_without_the_helper_polkit_is_told_and_what_the_helper_had_goes(install):
    install()
    said = install("--without-helper")
    assert f"write /{POLKIT}" in said
    assert {f"remove /{name}" for name in (POLICY, HELPER)} <= set(said)
    assert not (install.root / HELPER).exists()
    said = install()
    assert f"remove /{POLKIT}" in said
    assert not (install.root / POLKIT).exists()


def test_what_cannot_be_allowed_is_said_and_fails(install, capsys):
    install.config.write_text(CONFIG.replace("web.service", "{{ $labels.name }}"))
    assert main(["install", "--config", str(install.config), "--root", str(install.root)]) == 1
    assert "paramedic: not allowed: restart_unit: no unit is listed" in capsys.readouterr().err


def test_the_service_starts_the_program_that_installed_it(install):
    install()
    unit = (install.root / "etc/systemd/system/paramedic.service").read_text()
    assert f"ExecStart={sys.prefix}/bin/paramedic run" in unit
    assert "/opt/paramedic/venv/bin" not in unit


@pytest.mark.skipif(os.geteuid() == 0, reason="root may")
def test_nobody_but_root_changes_the_host(capsys, tmp_path):
    (tmp_path / "paramedic.toml").write_text(CONFIG)
    assert main(["install", "--config", str(tmp_path / "paramedic.toml")]) == 1
    assert "only root" in capsys.readouterr().err


def test_the_helper_is_one_file_of_the_standard_library_alone(tmp_path):
    """It runs isolated, without site-packages, and imports nothing that is not in it or in Python."""
    path = tmp_path / "helper.pyz"
    path.write_bytes(bundle())
    code = (
        "import importlib, sys; sys.path.insert(0, sys.argv[1])\n"
        "for name in ('answers', 'server', 'units', 'run', 'verdict', 'main'):\n"
        "    importlib.import_module(f'remediations.exec_helper.{name}')\n"
        "print(*{m.split('.')[0] for m in sys.modules} - sys.stdlib_module_names)\n"
    )
    argv = ("/usr/bin/python3", "-I", "-S", "-c", code, str(path))
    found = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True).stdout.split()
    assert sorted(found) == ["__main__", "remediations"]


LOADED = """
import sys
sys.path.insert(0, sys.argv[1])
from remediations.exec_helper import main
print(main.__loader__.get_code("remediations.exec_helper.main").co_filename, main.__file__)
"""


def test_its_byte_code_is_used_by_the_python_that_made_it_and_passed_over_by_another(tmp_path):
    """The helper starts when something is down: compiling it would take as long as all the rest."""
    path = tmp_path / "helper.pyz"
    path.write_bytes(bundle())
    argv = (sys.executable, "-I", "-S", "-c", LOADED, str(path))
    ours = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True).stdout.split()
    assert ours == ["remediations/exec_helper/main.py", f"{path}/remediations/exec_helper/main.pyc"]
    path.write_bytes(bundle().replace(importlib.util.MAGIC_NUMBER, b"\0\0\r\n"))
    other = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True).stdout.split()
    assert other[1] == f"{path}/remediations/exec_helper/main.py"


def test_the_same_sources_make_the_same_helper():
    code = "import hashlib; from agent.install.bundle import bundle; print(hashlib.sha256(bundle()).hexdigest())"
    argv = (sys.executable, "-c", code)
    made = {
        subprocess.run(
            argv, env={"PYTHONHASHSEED": seed}, cwd=TREE, capture_output=True, text=True, timeout=30, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert made == {f"{hashlib.sha256(bundle()).hexdigest()}\n"}
    names = zipfile.ZipFile(io.BytesIO(bundle())).namelist()
    assert "remediations/exec_helper/answers.py" in names
    assert not any(name.startswith(("agent", "remediations/actions")) for name in names)


def test_the_helper_can_be_read_in_one_sitting():
    names = [name for name in zipfile.ZipFile(io.BytesIO(bundle())).namelist() if name.endswith(".py")]
    sources = zipfile.ZipFile(io.BytesIO(bundle()))
    assert sum(len(sources.read(name).splitlines()) for name in names) < 1550
    assert Path(HELPER).suffix == ".pyz"


def test_on_the_host_itself_the_service_manager_is_told_in_an_order_that_works(install):
    wanted = layout(load(install.config, {}), Path("/"))
    steps = [step.argv for step in installing(wanted, Path("/"), start=True) if step.argv]
    names = [" ".join(argv) for argv in steps]
    assert names[0] == "systemd-sysusers paramedic.conf"
    assert names.index("systemctl daemon-reload") < names.index("systemctl enable --now paramedic-exec.socket")
    assert "systemctl stop paramedic-exec.service" in names
    assert names[-2:] == [
        "systemctl try-reload-or-restart paramedic.service",
        "systemctl enable --now paramedic.service",
    ]
    quiet = [step.argv for step in installing(wanted, Path("/"), start=False)]
    assert ("systemctl", "enable", "paramedic.service") in quiet


@pytest.mark.parametrize("how", [(), ("--without-helper",)])
def test_uninstalling_takes_every_file_of_ours_away_and_leaves_the_rest(install, capsys, how):
    install(*how)
    mine = [install.root / name for name in ("etc/paramedic/actions.d/own.toml", "etc/polkit-1/rules.d/49-own.rules")]
    record = install.root / "var/lib/paramedic/paramedic.db"
    for path in (*mine, record):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")

    assert main(["uninstall", "--root", str(install.root)]) == 0

    said = capsys.readouterr()
    assert f"remove /{POLICY if not how else POLKIT}" in said.out.splitlines()
    assert {path for path in install.root.rglob("*") if path.is_file()} == {*mine, record}
    assert "the record stays in /var/lib/paramedic" in said.err
    assert main(["uninstall", "--root", str(install.root), "--purge"]) == 0
    assert {path for path in install.root.rglob("*") if path.is_file()} == set(mine)
