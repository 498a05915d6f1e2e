"""What every crash test needs."""

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.crash.scene import Nursery


@pytest.fixture(scope="session")
def nursery():
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def folder():
    """Return a folder with a short name: control sockets do not fit into those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="crash-"))
    yield folder
    shutil.rmtree(folder)
