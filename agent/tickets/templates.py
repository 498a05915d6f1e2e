"""A ticket's first text by a template of the operator's: Go's text/template, as in the annotations of rules.

Beside the alert's own labels, `$labels` has what a ticket consists of: title, priority, major, service, host, incident,
and the built-in parts: business, advice, technical.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from agent.incidents.incident import Incident
from agent.tickets.plaintext import block, one_line, redacted
from agent.tickets.wording import BODY_LENGTH
from rules.annotations import Template, TemplateError, compile_template

MAX_BYTES = 64 * 1024
_REASON_LENGTH = 300


def body(path: Path, incident: Incident, parts: Mapping[str, str]) -> str:
    """Return the text of a ticket; raise TemplateError, naming the file, where there is none to be had."""
    template = compiled(path)
    try:
        made = template.expand([*incident.labels, *parts.items()], incident.value)
    except TemplateError as error:
        raise TemplateError(f"{path}: {one_line(str(error), _REASON_LENGTH)}") from error
    if not made.strip():
        raise TemplateError(f"{path}: it yields no text")
    return block(redacted(made[: 2 * BODY_LENGTH]), BODY_LENGTH)


def compiled(path: Path) -> Template:
    """Return the template in a file, as it is now. Raise TemplateError."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1).decode()
    except OSError as error:
        raise TemplateError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TemplateError(f"{path}: it is not UTF-8 text") from error
    if len(text) > MAX_BYTES:
        raise TemplateError(f"{path}: it is longer than {MAX_BYTES // 1024} KiB")
    return _compiled(text, str(path))


@lru_cache(maxsize=8)
def _compiled(text: str, name: str) -> Template:
    return compile_template(text, name)
