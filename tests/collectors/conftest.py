"""The small captured host that collector tests read, and shorthand for what they yield."""

from pathlib import Path

import pytest

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture
def host():
    """Return the folder with the captured proc, sys and root."""
    return FIXTURES


@pytest.fixture
def values():
    """Return a function that gives values by name, of the samples that carry some labels."""

    def of(samples, **labels):
        return {sample.name: sample.value for sample in samples if labels.items() <= dict(sample.labels).items()}

    return of
