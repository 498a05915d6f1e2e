"""Fixtures of the remediations' tests."""

import pytest

from remediations import processes
from remediations.runner import DirectRunner
from tests.remediations.living import BOOT


@pytest.fixture
def runner(monkeypatch):
    """A runner as patient as a busy machine needs: whoever heeds TERM, or was killed, is gone long before."""
    monkeypatch.setattr(processes, "_KILL_SECONDS", 60.0)
    runner = DirectRunner(boot_id=BOOT, grace_seconds=60.0)
    yield runner
    runner.stop()


@pytest.fixture
def brusque(monkeypatch):
    """A runner for programs that ignore TERM: it soon kills."""
    monkeypatch.setattr(processes, "_KILL_SECONDS", 60.0)
    return DirectRunner(boot_id=BOOT, grace_seconds=0.2)
