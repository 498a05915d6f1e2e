"""What is wrong with articles: files that cannot be read, and rules about whose alerts nobody has written."""

from collections.abc import Iterator, Sequence

from agent.config.options import KnowledgeOptions
from agent.config.problems import Problem
from agent.itsm.articles import ANNOTATION, wanted
from agent.store import shelves
from rules.alerting import AlertingRule
from rules.rulefile import RuleFile


def problems(options: KnowledgeOptions, files: Sequence[RuleFile]) -> Iterator[Problem]:
    """Yield them; an annotation that depends on the alert (a template) is left alone."""
    found = shelves.read(options.folders)
    for place, reason in found.problems:
        yield Problem("knowledge.folders", f"{place} {reason}")
    for file in files:
        for rule in (rule for group in file.groups for rule in group.rules if isinstance(rule, AlertingRule)):
            named = dict(rule.annotations).get(ANNOTATION)
            if named is not None and not named.constant:
                continue
            name = wanted(rule.name, {ANNOTATION: named.text} if named else {})
            if name not in found.articles:
                yield Problem(f"{file.path}:{rule.line}", f"rule {rule.name!r}: {_lacking(name, is_named=bool(named))}")


def _lacking(name: str, *, is_named: bool) -> str:
    if is_named:
        return f"its article {name!r} is missing: write {name}.md into one of [knowledge] folders"
    return f"names no article: add the annotation {ANNOTATION!r}, or write {name}.md into one of [knowledge] folders"
