"""Acceptance tests talk to real components; each skips, naming the package, where its component is not installed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.roundup import running_roundup
from tests.services.rt import running_rt
from tests.services.service import Server

pytest.register_assert_rewrite("tests.agent.tickets.contract_suite")
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.acceptance)


@pytest.fixture(scope="session")
def rt() -> Iterator[Server]:
    """One Request Tracker for the whole session: a test that stops it starts it again."""
    with running_rt() as server:
        yield server


@pytest.fixture(scope="session")
def roundup() -> Iterator[Server]:
    """One roundup tracker for the whole session: a test that stops it starts it again."""
    with running_roundup() as server:
        yield server
