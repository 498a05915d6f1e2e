"""Templates of labels, annotations and parameters: `{{ $labels.x }}`, `{{ $value }}` and the rest of what rules use.

The language is the part of Go's text/template that rules use, with Prometheus' functions. A template is text in, text
out: what it yields is never read as a template, a pattern or a command.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from rules.gotemplate.evaluate import MAX_CHARACTERS, Moment, evaluate
from rules.gotemplate.lexer import TemplateError
from rules.gotemplate.nodes import Command, Field, Node, Pipe, Print, Text, Tree, Variable
from rules.gotemplate.parser import parse
from rules.gotemplate.printf import show

_NOWHERE = Moment()
_Part = Callable[[Mapping[str, str], float], str]

__all__ = ["Moment", "Template", "TemplateError", "compile_template"]


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template. `name` is what its errors are called by; `text` is what it was compiled from."""

    name: str
    text: str
    tree: Tree = field(repr=False, compare=False)
    fixed: str | None = field(init=False, repr=False, compare=False)
    """What the template says of every alert, where it says the same of all."""
    parts: tuple[_Part, ...] | None = field(init=False, repr=False, compare=False)
    """What it is joined from, where it is but text with labels and the value in it, as most are."""

    def __post_init__(self) -> None:
        texts = [node.text for node in self.tree.body if isinstance(node, Text)]
        parts = tuple(part for node in self.tree.body if (part := _part(node)) is not None)
        object.__setattr__(self, "fixed", "".join(texts) if len(texts) == len(self.tree.body) else None)
        object.__setattr__(self, "parts", parts if len(parts) == len(self.tree.body) else None)

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
        if self.parts is not None:
            given = dict(labels)
            text = "".join([part(given, value) for part in self.parts])
            if len(text) <= MAX_CHARACTERS:
                return text
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


def _part(node: Node) -> _Part | None:
    """Return what one piece of a template says, if that is text, a label or the value."""
    match node:
        case Text(text):
            return lambda _labels, _value: text
        case Print(Pipe((Command((Field(Variable("$labels"), name),)),), ())):
            return lambda labels, _value: labels.get(name, "")
        case Print(Pipe((Command((Variable("$value"),)),), ())):
            return lambda _labels, value: _number(value)
        case _:
            return None


def _number(value: float) -> str:
    # Of common numbers Python and Go write the same digits.
    return repr(value).removesuffix(".0") if 0.001 <= abs(value) < 100_000.0 else show(value)  # noqa: PLR2004


def compile_template(text: str, name: str) -> Template:
    """Compile a template. Raise TemplateError, naming it, where it is wrong."""
    try:
        return Template(name, text, parse(text))
    except TemplateError as error:
        raise TemplateError(f"{name}: {error}") from error
