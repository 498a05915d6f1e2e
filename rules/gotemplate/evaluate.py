"""Renders a parsed template."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from rules.gotemplate.functions import FUNCTIONS, Sampled, truth
from rules.gotemplate.lexer import TemplateError
from rules.gotemplate.nodes import (
    Body,
    Call,
    Command,
    Dot,
    Field,
    Function,
    If,
    Leave,
    Literal,
    Node,
    Operand,
    Pipe,
    Print,
    Range,
    Text,
    Tree,
    Variable,
)
from rules.gotemplate.printf import show

MAX_CHARACTERS = 65_536
_MAX_CALLS = 50
_FAILURES = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError)
Variables = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a template can ask about besides its data: `query` runs an expression, `now` is wall-clock seconds."""

    query: Callable[[str], Sequence[Sampled]] | None = None
    now: float = 0.0
    external_url: str = ""
    external_labels: tuple[tuple[str, str], ...] = ()


class _LeaveError(Exception):
    def __init__(self, *, stops: bool) -> None:
        super().__init__("break or continue")
        self.stops = stops


def evaluate(tree: Tree, data: dict[str, object], moment: Moment) -> str:
    """Return the template's text for `data`. Raise TemplateError where it cannot be expanded."""
    variables: Variables = {
        "$": data,
        "$labels": data["Labels"],
        "$value": data["Value"],
        "$externalLabels": data["ExternalLabels"],
        "$externalURL": data["ExternalURL"],
    }
    run = _Run(tree, moment)
    run.body(tree.body, data, variables)
    return "".join(run.out)


@dataclass(slots=True)
class _Run:
    """One rendering."""

    tree: Tree
    moment: Moment
    out: list[str] = field(default_factory=list)
    size: int = 0
    calls: int = 0

    def body(self, nodes: Body, dot: object, variables: Variables) -> None:
        for node in nodes:
            self._node(node, dot, variables)

    def _node(self, node: Node, dot: object, variables: Variables) -> None:
        match node:
            case Text(text):
                self._write(text)
            case Print(pipe):
                value = self._pipe(pipe, dot, variables)
                if not pipe.variables:
                    self._write(show(value))
            case If():
                self._if(node, dot, variables)
            case Range():
                self._range(node, dot, variables)
            case Call():
                self._call(node, dot, variables)
            case Leave(stops):
                raise _LeaveError(stops=stops)

    def _write(self, text: str) -> None:
        self.size += len(text)
        if self.size > MAX_CHARACTERS:
            raise TemplateError(f"the text is longer than {MAX_CHARACTERS} characters")
        self.out.append(text)

    def _if(self, node: If, dot: object, variables: Variables) -> None:
        scope = _Scope(variables)
        value = self._pipe(node.pipe, dot, scope)
        if truth(value):
            self.body(node.body, value if node.sets_dot else dot, scope)
        else:
            self.body(node.otherwise, dot, scope)

    def _range(self, node: Range, dot: object, variables: Variables) -> None:
        value = self._pipe(Pipe(node.pipe.commands), dot, variables)
        empty = True
        for key, item in _items(value):
            empty = False
            scope = _Scope(variables)
            scope.declare(dict(zip(reversed(node.pipe.variables), (item, key), strict=False)))
            try:
                self.body(node.body, item, scope)
            except _LeaveError as leave:
                if leave.stops:
                    break
        if empty:
            self.body(node.otherwise, dot, variables)

    def _call(self, node: Call, dot: object, variables: Variables) -> None:
        body = self.tree.defined.get(node.name)
        if body is None:
            raise TemplateError(f"template {node.name!r} is not defined")
        self.calls += 1
        if self.calls > _MAX_CALLS:
            raise TemplateError(f"more than {_MAX_CALLS} templates called")
        value = None if node.pipe is None else self._pipe(node.pipe, dot, variables)
        self.body(body, value, {"$": value})

    def _pipe(self, pipe: Pipe, dot: object, variables: Variables) -> object:
        value: object = None
        for index, command in enumerate(pipe.commands):
            value = self._command(command, dot, variables, (value,) if index else ())
        if pipe.variables:
            if pipe.declares and isinstance(variables, _Scope):
                variables.declare({pipe.variables[0]: value})
            else:
                variables[pipe.variables[0]] = value
        return value

    def _command(self, command: Command, dot: object, variables: Variables, piped: tuple[object, ...]) -> object:
        first, *rest = command.operands
        if isinstance(first, Function):
            values = [self._operand(each, dot, variables) for each in rest]
            return self._function(first.name, (*values, *piped))
        if rest or piped:
            raise TemplateError("can't give argument to non-function")
        return self._operand(first, dot, variables)

    def _function(self, name: str, values: tuple[object, ...]) -> object:
        try:
            return self._of_moment(name, values) if name in _MOMENTARY else FUNCTIONS[name](*values)
        except _FAILURES as error:
            raise TemplateError(f"error calling {name}: {error}") from error

    def _of_moment(self, name: str, values: tuple[object, ...]) -> object:
        match name, values:
            case "query", (str() as text,):
                if self.moment.query is None:
                    raise TemplateError("query is not available here")
                return list(self.moment.query(text))
            case "now", ():
                return self.moment.now
            case "externalURL", ():
                return self.moment.external_url
            case "pathPrefix", ():
                return urlsplit(self.moment.external_url).path
            case _:
                raise TemplateError(f"wrong arguments for {name}")

    def _operand(self, operand: Operand, dot: object, variables: Variables) -> object:
        match operand:
            case Literal(value):
                return value
            case Dot():
                return dot
            case Variable(name):
                return variables[name]
            case Field(base, name):
                return _field(self._operand(base, dot, variables), name)
            case Function(name):
                return self._function(name, ())
            case Pipe():
                return self._pipe(operand, dot, variables)


_MOMENTARY = frozenset({"query", "now", "externalURL", "pathPrefix"})


class _Scope(dict[str, object]):
    """Variables of an inner block: what it declares ends with it, what it assigns reaches the block around it."""

    def __init__(self, outer: Variables) -> None:
        super().__init__()
        self.outer = outer

    def __missing__(self, name: str) -> object:
        return self.outer[name]

    def __setitem__(self, name: str, value: object) -> None:
        self.outer[name] = value

    def declare(self, values: Variables) -> None:
        for name, value in values.items():
            super().__setitem__(name, value)


_RECORD = {"Labels", "Value"}
"""What an element of a query has, and what a template is given: only of labels anything may be asked."""


def _field(value: object, name: str) -> object:
    if not isinstance(value, dict):
        raise TemplateError(f"can't evaluate field {name}")
    if name not in value and value.keys() >= _RECORD:
        raise TemplateError(f"can't evaluate field {name}: there are {', '.join(map(str, value))}")
    return value.get(name, "")


def _items(value: object) -> Iterator[tuple[object, object]]:
    match value:
        case list():
            yield from enumerate(value)
        case dict():
            for key in sorted(value):
                yield key, value[key]
        case None:
            return
        case int() if not isinstance(value, bool):
            yield from ((index, index) for index in range(min(value, MAX_CHARACTERS)))
        case _:
            raise TemplateError("range can't iterate over this value")
