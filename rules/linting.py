"""What is suspicious about rules that are sound: promtool's lints and our own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from collectors.sample import Labels
from rules.alerting import AlertingRule
from rules.group import Rule
from rules.rulefile import RuleFile
from rules.yamlnodes import Problem

DUPLICATE_RULES = "duplicate-rules"
SECOND_DOCUMENT = "second-document"
LINTS = (DUPLICATE_RULES, SECOND_DOCUMENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lint:
    """One finding and which lint found it."""

    lint: str
    problem: Problem


def lint(file: RuleFile, lints: Sequence[str] = LINTS) -> Iterator[Lint]:
    """Yield what these lints find in a file."""
    if DUPLICATE_RULES in lints:
        yield from _duplicates(file)
    if SECOND_DOCUMENT in lints and file.ignored_from:
        message = "only the first YAML document of a file counts: what begins here is ignored"
        yield Lint(lint=SECOND_DOCUMENT, problem=Problem(file=file.path, line=file.ignored_from, message=message))


def _duplicates(file: RuleFile) -> Iterator[Lint]:
    """Yield the rules that yield the same series or alerts as an earlier one of the file, by name and labels."""
    seen: dict[tuple[bool, str, Labels], Rule] = {}
    for group in file.groups:
        for rule in group.rules:
            key = (isinstance(rule, AlertingRule), rule.name, labels_of(rule))
            first = seen.setdefault(key, rule)
            if first is not rule:
                message = (
                    f"same name and labels as the rule in line {first.line}: their results may overwrite each other"
                )
                problem = Problem(file=file.path, line=rule.line, rule=rule.name, message=message)
                yield Lint(lint=DUPLICATE_RULES, problem=problem)


def labels_of(rule: Rule) -> Labels:
    """Return a rule's own labels as they are written."""
    if isinstance(rule, AlertingRule):
        return tuple((name, template.text) for name, template in rule.labels)
    return rule.labels
