"""paramedic as it is delivered: a wheel built from this tree, and the wheels it depends on."""

import atexit
import hashlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
from functools import cache
from pathlib import Path

import pytest

from tests.host.machine import CACHE, made_whole

TREE = Path(__file__).parents[2]


@cache
def built() -> Path:
    """Return the wheel of this tree, built once for all hosts of a run."""
    folder = Path(tempfile.mkdtemp(prefix="paramedic-wheel-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return build(folder)


def build(folder: Path) -> Path:
    """Build the wheel of this tree; return its path."""
    _pip("wheel", "--no-deps", f"--wheel-dir={folder}", str(TREE))
    (wheel,) = folder.glob("paramedic-*.whl")
    return wheel


def dependencies(python: str) -> Path:
    """Return a folder with pip and all that our wheel needs; fetched once for each Python and list of dependencies."""
    wanted = [*tomllib.loads((TREE / "pyproject.toml").read_text())["project"]["dependencies"], "pip"]
    key = hashlib.sha256("\n".join([python, *wanted]).encode()).hexdigest()[:12]
    kept = CACHE / f"wheels-{key}"
    if not kept.exists():
        CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
        with made_whole(kept) as fresh:
            _pip("download", f"--python-version={python}", "--only-binary=:all:", f"--dest={fresh}", *wanted)
    return kept


def _pip(command: str, *words: str) -> None:
    argv = (sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check", *words)
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.fail(f"pip {command} ended with {done.returncode}:\n{done.stderr[-4000:]}")
