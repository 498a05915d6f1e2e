"""The registered adapters, as the configuration sees them."""

import re
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import MISSING, fields, is_dataclass
from importlib import import_module
from pathlib import Path

import pytest

from agent.config.values import check_approver
from agent.tickets.registry import ADAPTERS
from agent.tickets.rt import RtOptions

MANUAL = Path(__file__).parents[3] / "docs" / "tickets.md"


def test_their_names_are_those_of_the_configuration():
    assert {"rt", "roundup", "redmine", "webhook"} == {name for name in ADAPTERS if not ADAPTERS[name].experimental}
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
    assert all(name.endswith("_file") for name in names if re.search("password|token|secret", name))


@pytest.mark.parametrize("name", ADAPTERS)
def test_opening_one_reads_no_secret_and_connects_to_nothing(name: str):
    spec = ADAPTERS[name]
    needed = [field.name for field in fields(spec.options) if field.default is field.default_factory is MISSING]
    account = {each: Path("/nonexistent") if each.endswith("_file") else "https://example.org" for each in needed}
    if name == "rt":
        account["password_file"] = Path("/nonexistent")
    spec.open(spec.options(**account), lambda path: pytest.fail(f"{path} was read"))


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


@pytest.mark.parametrize("name", ADAPTERS)
def test_approvers_can_be_listed_for_those_whose_remarks_are_read(name: str):
    expected = nullcontext() if ADAPTERS[name].remarks else pytest.raises(ValueError, match="one on a channel")
    with expected:
        check_approver(f"{name}:557058_beef")


def test_a_daemon_without_ticket_servers_does_not_load_requests():
    program = "import sys, agent.tickets.registry, agent.tickets.book; sys.exit('requests' in sys.modules)"
    assert subprocess.run((sys.executable, "-c", program), check=False, timeout=30).returncode == 0


def test_the_manual_has_them_all_and_labels_the_experimental():
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \|.*\| ([^|]*) \|$", MANUAL.read_text(), re.MULTILINE)
    told = {name: ("experimental" in proof, read.startswith("yes")) for name, proof, read in rows if name != "book"}
    assert told == {name: (spec.experimental, spec.remarks) for name, spec in ADAPTERS.items()}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("rt", {"token_file": Path("t")}),
        ("redmine", {"project": "ops", "token_file": Path("t")}),
        ("roundup", {"user": "u", "password_file": Path("p")}),
    ],
)
def test_what_we_resolve_can_not_be_what_nobody_will_fix(name: str, options: dict[str, object]):
    with pytest.raises(ValueError, match="must differ from resolved_status"):
        ADAPTERS[name].options(url="http://x", resolved_status="over", declined_status="over", **options)
