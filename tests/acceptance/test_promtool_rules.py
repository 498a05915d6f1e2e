"""The unit tests of our packs mean the same to promtool as to us, and so do its lints."""

import subprocess
from pathlib import Path

import pytest

from tests.services.service import need

PACKS = sorted((Path(__file__).parents[1] / "rules" / "packs").glob("*.test.yml"))


def promtool(*arguments: object) -> tuple[int, str]:
    argv = (need("promtool", "prometheus"), *map(str, arguments))
    done = subprocess.run(argv, capture_output=True, check=False, timeout=60, text=True)
    return done.returncode, done.stdout + done.stderr


def test_the_unit_tests_of_the_packs_pass_in_promtool_too():
    """Prometheus before 3.0 counts a sample at the far edge of a range: no case of ours depends on one."""
    assert len(PACKS) > 5
    code, said = promtool("test", "rules", *PACKS)
    assert code == 0, said


@pytest.mark.parametrize("path", PACKS, ids=lambda path: path.name)
def test_promtool_accepts_the_packs(path):
    code, said = promtool("check", "rules", "--lint-fatal", PACKS[0].parents[3] / "rules" / "packs" / pack_of(path))
    assert code == 0, said


def pack_of(path: Path) -> str:
    return path.name.replace(".test", "")
