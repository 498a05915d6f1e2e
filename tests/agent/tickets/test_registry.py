"""The registered adapters, as the configuration sees them."""

import subprocess
import sys
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path

import pytest

from agent.tickets.redmine import RedmineOptions
from agent.tickets.registry import ADAPTERS
from agent.tickets.roundup import RoundupOptions
from agent.tickets.rt import RtOptions
from agent.tickets.webhook import WebhookOptions

ACCOUNT = {"url": "https://example.org/t/", "user": "me", "password_file": Path("/nonexistent")}


def test_their_names_are_those_of_the_configuration():
    assert set(ADAPTERS) == {"rt", "roundup", "redmine", "webhook"}
    assert len(ADAPTERS) == len(list(ADAPTERS))
    assert "registry" not in ADAPTERS
    assert all(name == spec.name for name, spec in ADAPTERS.items())


@pytest.mark.parametrize("name", ADAPTERS)
def test_options_are_frozen_and_hold_no_secret_but_files_that_do(name: str):
    options = ADAPTERS[name].options
    assert is_dataclass(options)
    assert options.__dataclass_params__.frozen
    names = {field.name for field in fields(options)}
    assert {"url", "ca_file", "timeout_seconds"} <= names
    assert not {name for name in names if "password" in name or "token" in name} - {"password_file", "token_file"}


@pytest.mark.parametrize(
    "options",
    [
        RtOptions(**ACCOUNT),
        RoundupOptions(**ACCOUNT),
        RedmineOptions(url="https://example.org/", project="p", token_file=Path("/nonexistent")),
        WebhookOptions(url="https://example.org/"),
    ],
)
def test_opening_one_reads_no_secret_and_connects_to_nothing(options: object):
    spec = next(spec for spec in ADAPTERS.values() if isinstance(options, spec.options))
    spec.open(options, lambda path: pytest.fail(f"{path} was read"))


@pytest.mark.parametrize("credentials", [{}, {"password_file": Path("p"), "token_file": Path("t")}])
def test_rt_takes_a_password_or_a_token(credentials: dict[str, Path]):
    with pytest.raises(ValueError, match="either user and password_file, or token_file"):
        RtOptions(url="https://example.org", **credentials)


def test_no_adapter_is_loaded_before_it_is_asked_for():
    program = (
        "import sys, agent.tickets.registry as r; sys.exit(any(f'agent.tickets.{n}' in sys.modules for n in r.NAMES))"
    )
    assert subprocess.run((sys.executable, "-c", program), check=False, timeout=30).returncode == 0


def test_those_whose_remarks_are_read_say_so():
    for name, spec in ADAPTERS.items():
        kinds = [kind for kind in vars(import_module(f"agent.tickets.{name}")).values() if isinstance(kind, type)]
        made = [kind for kind in kinds if hasattr(kind, "find") and not getattr(kind, "_is_protocol", False)]
        assert spec.remarks is any(hasattr(kind, "remarks") for kind in made)


def test_a_daemon_without_ticket_servers_does_not_load_requests():
    program = "import sys, agent.tickets.registry, agent.tickets.book; sys.exit('requests' in sys.modules)"
    assert subprocess.run((sys.executable, "-c", program), check=False, timeout=30).returncode == 0
