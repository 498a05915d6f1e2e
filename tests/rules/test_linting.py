"""promtool's lints."""

from textwrap import dedent

import pytest

from rules.linting import lint
from rules.rulefile import parse


def found(text, *lints):
    file = parse("groups:\n" + dedent(text), "r.yml")
    return [str(each.problem) for each in (lint(file, lints) if lints else lint(file))]


def test_rules_that_yield_the_same_series_are_named_with_both_places():
    text = """\
        - name: a
          rules:
          - {record: r, expr: up, labels: {x: "1"}}
          - {record: r, expr: up, labels: {x: "2"}}
        - name: b
          rules:
          - {record: r, expr: up > 1, labels: {x: "1"}}
        """
    assert found(text) == [
        "r.yml:8: rule 'r': same name and labels as the rule in line 4: their results may overwrite each other"
    ]
    assert found(text, "nothing") == []


def test_a_second_document_is_named():
    text = "- name: a\n---\ngroups:\n- name: b\n"
    assert found(text) == ["r.yml:4: only the first YAML document of a file counts: what begins here is ignored"]
    assert found(text, "duplicate-rules") == []


def test_rules_that_are_the_same_in_all_but_layout_are_duplicates():
    assert len(found("- name: a\n  rules:\n  - {alert: A, expr: up}\n  - {alert: A, expr: ' up'}\n")) == 1


@pytest.mark.parametrize(("second", "count"), [("{alert: A, expr: up > 1}", 1), ("{record: A, expr: up}", 0)])
def test_an_alert_and_a_record_of_one_name_are_no_duplicates(second, count):
    assert len(found(f"- name: a\n  rules:\n  - {{alert: A, expr: up}}\n  - {second}\n")) == count
