"""What a parsed template is made of."""

from dataclasses import dataclass

Value = object
"""Strings, floats, ints, booleans, None, dicts (maps and structures) and lists, as the template language knows them."""


@dataclass(frozen=True, slots=True)
class Dot:
    """`.`, the value the block is about."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    value: Value


@dataclass(frozen=True, slots=True)
class Variable:
    """`$name`; `$` alone is the data the template was called with."""

    name: str


@dataclass(frozen=True, slots=True)
class Field:
    """`base.name`."""

    base: "Operand"
    name: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function's name; called when it stands first in a command or alone."""

    name: str


@dataclass(frozen=True, slots=True)
class Command:
    """A function and its arguments, or one lone operand."""

    operands: tuple["Operand", ...]


@dataclass(frozen=True, slots=True)
class Pipe:
    """Commands, each given the result of the one before as its last argument; perhaps assigned to variables."""

    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    declares: bool = True


Operand = Dot | Literal | Variable | Field | Function | Pipe


@dataclass(frozen=True, slots=True)
class Text:
    """What is copied as it stands."""

    text: str


@dataclass(frozen=True, slots=True)
class Print:
    """`{{ pipe }}`."""

    pipe: Pipe


@dataclass(frozen=True, slots=True)
class If:
    """`{{ if }}`, and `{{ with }}`, which also sets the dot."""

    pipe: Pipe
    body: tuple["Node", ...]
    otherwise: tuple["Node", ...]
    sets_dot: bool


@dataclass(frozen=True, slots=True)
class Range:
    """`{{ range }}`."""

    pipe: Pipe
    body: tuple["Node", ...]
    otherwise: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Call:
    """`{{ template "name" pipe }}`."""

    name: str
    pipe: Pipe | None


@dataclass(frozen=True, slots=True)
class Leave:
    """`{{ break }}` and `{{ continue }}`."""

    stops: bool


Node = Text | Print | If | Range | Call | Leave
Body = tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed template and the templates defined in it."""

    body: Body
    defined: dict[str, Body]
