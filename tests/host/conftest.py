"""One host for all tests of this folder; each test has units of its own and leaves the daemon as it was."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.helped import Helped, helped
from tests.host.patient import Patient, installed
from tests.services.rt import running_rt
from tests.services.service import Server

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.host)


@pytest.fixture(scope="session")
def rt() -> Iterator[Server]:
    with running_rt() as server:
        yield server


@pytest.fixture(scope="session")
def patient(rt: Server) -> Iterator[Patient]:
    with installed(rt) as patient:
        yield patient


@pytest.fixture(scope="session")
def host() -> Iterator[Helped]:
    with helped() as host:
        yield host
