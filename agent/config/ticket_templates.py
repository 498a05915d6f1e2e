"""What `paramedic check` says about templates of tickets: one that fails is replaced by the built-in text."""

from collections.abc import Iterator

from agent.config.finding import Finding, Level, Subject
from agent.tickets import templates
from rules.annotations import TemplateError


def failing(subject: Subject) -> Iterator[Finding]:
    """Name templates that cannot be read or compiled."""
    for index, ticket in enumerate(subject.config.tickets):
        if ticket.template is None:
            continue
        try:
            templates.compiled(ticket.template)
        except TemplateError as error:
            message = f"{error}; tickets get the built-in text instead"
            yield Finding(Level.WARNING, f"tickets[{index}].template", message)
