"""Rules of the house that no linter knows."""

import ast
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from agent.tickets.registry import ADAPTERS
from collectors.registry import SPECS
from remediations.registry import ACTIONS

TREE = Path(__file__).parents[2]
PACKAGES = ("agent", "collectors", "rules", "remediations")
SOURCES = sorted(path for package in PACKAGES for path in (TREE / package).rglob("*.py"))
TESTS = sorted((TREE / "tests").rglob("*.py"))
EVERYTHING = [*SOURCES, *TESTS, *(TREE / "benchmarks").rglob("*.py")]

LINES = 330
LONGER: dict[str, tuple[int, str]] = {}
FUNCTION_LINES = 50
BROAD = {
    "agent/collecting/collector.py": "hosts collectors: a bug in one must not end the others",
    "agent/executor/pool.py": "hosts performers: every row must be answered for",
    "rules/promql/expression.py": "a panic in the parser is a BaseException; it becomes an ExpressionError",
}
UNWANTED = {"utils", "helpers", "common", "manager", "base", "util", "helper", "misc"}
ONLY_WHERE_CONFIGURED = ("requests", "urllib3", "paho", "dbus_fast", "jinja2", "rich", "numpy", "psycopg", "apprise")


def name(path: Path) -> str:
    return path.relative_to(TREE).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def parsed(paths: list[Path]) -> Iterator[tuple[str, ast.Module]]:
    for path in paths:
        yield name(path), tree_of(path)


def test_every_module_says_in_its_first_line_what_it_is_for():
    silent = [path for path, module in parsed(EVERYTHING) if module.body and not ast.get_docstring(module)]
    assert silent == []


def test_every_init_is_empty():
    assert [name(path) for path in EVERYTHING if path.name == "__init__.py" and path.read_text()] == []


def test_no_file_is_too_long_without_a_reason():
    lengths = {name(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {path: n for path, n in lengths.items() if n > LONGER.get(path, (LINES, ""))[0]} == {}
    assert [path for path in LONGER if lengths.get(path, 0) <= LINES] == [], "no longer an exception"


def test_no_function_is_longer_than_a_screen():
    found = [
        f"{path}:{node.lineno} {node.name}"
        for path, module in parsed(SOURCES)
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES
    ]
    assert found == []


def test_no_module_has_a_name_that_says_nothing():
    assert [name(path) for path in EVERYTHING if path.stem in UNWANTED or path.parent.name in UNWANTED] == []


def catches_all(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        one is None or (isinstance(one, ast.Name) and one.id in {"Exception", "BaseException"}) for one in caught
    )


def test_only_the_seams_that_host_foreign_code_catch_everything():
    found = {
        path
        for path, module in parsed(SOURCES)
        for node in ast.walk(module)
        if isinstance(node, ast.ExceptHandler) and catches_all(node)
    }
    assert found == set(BROAD)


def test_no_test_sleeps():
    """Tests wait for an event, or look every 50 ms through the one function that may sleep; giving way is no sleep."""
    found = [
        f"{path}:{node.lineno}"
        for path, module in parsed(TESTS)
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"time.sleep", "sleep", "asyncio.sleep"}
        if ast.unparse(node.args[0]) != "0"
    ]
    assert [place for place in found if not place.startswith("tests/services/service.py:")] == []
    assert len(found) == 1


def listed(introduction: str) -> set[str]:
    """The names that the README lists after these words, up to the next full stop."""
    text = " ".join((TREE / "README.md").read_text().split())
    found = re.search(rf"{re.escape(introduction)} ([\w, ]+)[.)]", text)
    assert found, f"the README has no {introduction!r}"
    return set(found[1].split(", "))


def test_the_readme_lists_what_the_registries_have():
    assert listed("Collectors:") == {spec.name for spec in SPECS}
    assert listed("Actions:") == set(ACTIONS)
    assert listed("Tickets (embedded book,") == set(ADAPTERS)


def test_the_registries_are_in_the_order_of_their_names():
    modules = [spec.name for spec in SPECS]
    assert modules == sorted(modules)


def test_a_minimal_daemon_loads_nothing_that_only_some_configurations_need():
    code = "import sys, agent.app.daemon, agent.cli.main; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        (sys.executable, "-c", code), cwd=TREE, check=True, capture_output=True, text=True, timeout=60
    )
    loaded = set(done.stdout.split())
    assert "structlog" in loaded
    assert loaded.isdisjoint(ONLY_WHERE_CONFIGURED), loaded & set(ONLY_WHERE_CONFIGURED)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    argv = (sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder))
    subprocess.run(argv, cwd=TREE, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        yield archive


def test_the_wheel_holds_everything_that_runs(wheel):
    inside = set(wheel.namelist())
    assert {name(path) for path in SOURCES} <= inside
    assert {name(path) for path in (TREE / "rules/packs").glob("*.yml")} <= inside
    assert {name(path) for path in (TREE / "agent").rglob("*.sql")} <= inside
    assert {f"agent/share/systemd/{path.name}" for path in (TREE / "systemd").glob("*.service")} <= inside
    assert {"agent/share/dashboards/paramedic.json", "agent/share/config.example.toml"} <= inside
    assert any(path.startswith("agent/share/systemd/") for path in inside)


def test_the_wheel_holds_nothing_else(wheel):
    tops = {path.split("/")[0] for path in wheel.namelist()}
    assert tops - {top for top in tops if top.endswith(".dist-info")} == set(PACKAGES)
    assert [path for path in wheel.namelist() if "test" in Path(path).parts or path.endswith(".pyc")] == []


def test_nothing_committed_names_a_machine_or_holds_a_key():
    found = [
        f"{path}: {match[0]}"
        for path in committed()
        for match in re.finditer(r"/work/\w+|-----BEGIN [A-Z ]*PRIVATE KEY", read(TREE / path))
        if path != name(Path(__file__))
    ]
    assert found == []


def committed() -> list[str]:
    done = subprocess.run(("git", "ls-files", "-z"), cwd=TREE, check=False, capture_output=True, text=True, timeout=30)
    if done.returncode:
        pytest.skip("this tree is no git checkout")
    return [path for path in done.stdout.split("\0") if path and (TREE / path).is_file()]


def read(path: Path) -> str:
    return path.read_text(errors="replace")
