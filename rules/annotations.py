"""Templates of labels, annotations and parameters: `{{ $labels.x }}`, `{{ $value }}` and the rest of what rules use.

The language is the part of Go's text/template that rules use, with Prometheus' functions. A template is text in, text
out: what it yields is never read as a template, a pattern or a command.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from rules.gotemplate.evaluate import Moment, evaluate
from rules.gotemplate.lexer import TemplateError
from rules.gotemplate.nodes import Text, Tree
from rules.gotemplate.parser import parse

_NOWHERE = Moment()

__all__ = ["Moment", "Template", "TemplateError", "compile_template"]


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template. `name` is what its errors are called by; `text` is what it was compiled from."""

    name: str
    text: str
    tree: Tree = field(repr=False, compare=False)
    fixed: str | None = field(init=False, repr=False, compare=False)
    """What the template says of every alert, where it says the same of all."""

    def __post_init__(self) -> None:
        texts = [node.text for node in self.tree.body if isinstance(node, Text)]
        object.__setattr__(self, "fixed", "".join(texts) if len(texts) == len(self.tree.body) else None)

    @property
    def constant(self) -> bool:
        return self.fixed is not None

    @property
    def asks(self) -> bool:
        """True where the text may change while labels and value stay the same: it may run a query or tell the time."""
        return "query" in self.text or "now" in self.text

    def expand(
        self,
        labels: Iterable[tuple[str, str]],
        value: float,
        *,
        external_labels: Iterable[tuple[str, str]] = (),
        moment: Moment = _NOWHERE,
    ) -> str:
        """Return the text for an alert with these labels and value; raise TemplateError where it cannot be expanded."""
        if self.fixed is not None:
            return self.fixed
        data: dict[str, object] = {
            "Labels": dict(labels),
            "Value": value,
            "ExternalLabels": dict(external_labels or moment.external_labels),
            "ExternalURL": moment.external_url,
        }
        return evaluate(self.tree, data, moment)

    def render(
        self,
        labels: Iterable[tuple[str, str]],
        value: float,
        *,
        external_labels: Iterable[tuple[str, str]] = (),
        moment: Moment = _NOWHERE,
    ) -> str:
        """Return the text as `expand` does, or, where that fails, a text that says so."""
        try:
            return self.expand(labels, value, external_labels=external_labels, moment=moment)
        except TemplateError as error:
            return f"<error expanding template: {self.name}: {error}>"


def compile_template(text: str, name: str) -> Template:
    """Compile a template. Raise TemplateError, naming it, where it is wrong."""
    try:
        return Template(name, text, parse(text))
    except TemplateError as error:
        raise TemplateError(f"{name}: {error}") from error
