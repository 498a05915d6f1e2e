"""What somebody sees who has just cloned the repository: the daemon on its defaults, and every command."""

import argparse
import json
import re
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agent.app.drills.scenarios import SCENARIOS
from agent.cli.main import main
from agent.cli.parser import parser
from tests.acceptance.commands import paramedic
from tests.acceptance.daemon import PARAMEDIC
from tests.acceptance.test_promtool_metrics import NOT_PARSED, checked
from tests.services.service import AS_ROOT, clean_environment, demoted, eventually, free_port, private_directory


def commands(parser: argparse.ArgumentParser, prefix: str = "") -> Iterator[str]:
    """Yield the words of every command and verb."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield f"{prefix}{name}"
                yield from commands(below, f"{prefix}{name} ")


@pytest.fixture
def home() -> Iterator[Path]:
    """An ordinary user's home."""
    with private_directory("home") as folder:
        yield folder


TREE = Path(__file__).parents[2]
SYSTEM_PYTHON = "/usr/bin/python3"


@pytest.fixture
def ordinary(home: Path) -> dict[str, Any]:
    """How to start paramedic as an ordinary user: as nobody if the tester is root, else as the tester.

    Nobody cannot always reach the tester's interpreter; the system's, of the same version, stands in with our packages.
    """
    environment = clean_environment({"HOME": str(home), "PARAMEDIC_WEB_LISTEN": f"127.0.0.1:{free_port()}"})
    who = demoted() | {"env": environment, "cwd": home, "stdin": subprocess.DEVNULL}
    if not AS_ROOT or works((*PARAMEDIC, "version"), who):
        return who | {"args": PARAMEDIC}
    environment["PYTHONPATH"] = f"{TREE}:{sysconfig.get_paths()['purelib']}"
    argv = (SYSTEM_PYTHON, *PARAMEDIC[1:])
    if not works((*argv, "version"), who):
        pytest.skip("needs a checkout and an interpreter that the account nobody can read")
    return who | {"args": argv}


def works(argv: tuple[str, ...], who: dict[str, Any]) -> bool:
    with suppress(PermissionError):
        return subprocess.run(argv, capture_output=True, timeout=60, check=False, **who).returncode == 0
    return False


def test_the_daemon_on_its_defaults_tells_an_ordinary_user_where_it_is_and_what_it_sees(home: Path, ordinary):
    said = home / "said.txt"
    argv = ordinary.pop("args")
    with said.open("w") as out:
        process = subprocess.Popen((*argv, "run"), stdout=out, stderr=out, **ordinary)
    try:
        running = eventually(lambda: re.search(r"event=running .*", said.read_text()), 60.0, said.read_text)[0]
        metrics, control = (re.search(rf"{key}=(\S+)", running)[1] for key in ("metrics", "control"))
        assert Path(control).is_relative_to(home)
        assert int(re.search(r"rules=(\d+)", running)[1]) > 20
        status = eventually(lambda: ready(control), 60.0, said.read_text)
        assert status["endpoints"] == {"metrics": metrics, "control": control}
        assert status["series"] > 100
        assert metrics in paramedic("status", "--socket", control).stdout
    finally:
        process.terminate()
        assert process.wait(60) == 0
    assert "Traceback" not in said.read_text()


def ready(control: str) -> Any:
    """Return what the daemon says of itself once every collector has run."""
    status = json.loads(paramedic("status", "--json", "--socket", control).stdout)
    return status if status["ready"] else None


def test_a_drill_of_an_ordinary_user_sees_every_phase(ordinary):
    argv = (*ordinary.pop("args"), "drill", "--json")
    done = subprocess.run(argv, capture_output=True, text=True, timeout=90, check=False, **ordinary)
    assert done.returncode == 0, done
    document = json.loads(done.stdout)
    assert document["ok"] is True
    assert [phase["name"] for phase in document["phases"]] == [phase.name for phase in SCENARIOS["service-down"].phases]
    assert all(phase["seconds"] is not None for phase in document["phases"])


def test_collecting_once_prints_what_promtool_can_read():
    done = paramedic("collect", "--once")
    assert done.returncode == 0, done.stderr
    assert "node_cpu_seconds_total" in done.stdout
    code, findings = checked(done.stdout.encode())
    assert code in {0, 3}, findings
    assert [line for line in findings if line.startswith("paramedic_") or NOT_PARSED in line] == []


@pytest.mark.parametrize("command", ["", *commands(parser())])
def test_help_of_every_command_says_what_it_is_for(command: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    usage, _, rest = capsys.readouterr().out.partition("\n\n")
    assert usage.startswith(f"usage: paramedic {command}".rstrip())
    assert rest[0].isupper()
    assert "-h, --help" in rest
