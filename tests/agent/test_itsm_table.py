"""The table of docs/itsm.md: every item is there, and what is said to show it can be run."""

import ast
import re
import shlex
from functools import cache
from pathlib import Path

import pytest

from agent.cli.parser import parser

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "itsm.md"
ITEMS = [
    *(
        "III.1",
        "III.2a",
        "III.2b",
        "III.2c",
        "III.3a",
        "III.3b",
        "III.3c",
        "III.4a",
        "III.4b",
        "III.4c",
        "III.4d",
        "III.5",
    ),
    *(f"IV.{number}" for number in range(1, 13)),
    *(f"V.{number}" for number in range(1, 6)),
    *("II", "VI"),
]


def rows():
    text = PAGE.read_text(encoding="utf-8").partition("## The figures")[0]
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if re.match(r"\| [IV]+[.\s]", line)]
    return {item.split()[0]: (behaviour, shown) for item, behaviour, shown in cells}


ROWS = rows()


@cache
def names(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_item_has_a_row_and_none_is_there_twice():
    assert list(ROWS) == ITEMS
    assert all(behaviour for behaviour, _ in ROWS.values())


@pytest.mark.parametrize("item", ITEMS)
def test_what_shows_a_row_is_there(item):
    _, shown = ROWS[item]
    tests = re.findall(r"(tests/\S+\.py)::(\w+)", shown)
    assert tests
    assert [f"{path}::{name}" for path, name in tests if name not in names(path)] == []


@pytest.mark.parametrize(
    "command", sorted(set(re.findall(r"`((?:paramedic|make) [^`…]+)`", " ".join(s for _, s in ROWS.values()))))
)
def test_every_command_of_the_table_is_one(command):
    program, *words = shlex.split(command)
    if program == "make":
        assert re.search(rf"^{words[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    else:
        assert parser().parse_args(words).module


def test_pages_that_it_points_to_are_there():
    links = re.findall(r"\]\(([^)]+)\)", PAGE.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
