"""Fixtures of the remediations' tests."""

import pytest

from remediations.runner import DirectRunner
from tests.remediations.living import BOOT


@pytest.fixture
def runner():
    runner = DirectRunner(boot_id=BOOT, grace_seconds=0.2)
    yield runner
    runner.stop()
