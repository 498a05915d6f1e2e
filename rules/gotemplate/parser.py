"""From tokens to nodes."""

import ast

from rules.gotemplate.functions import FUNCTIONS
from rules.gotemplate.lexer import Kind, TemplateError, Token, tokens
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

MAX_DEPTH = 100
_CONSTANTS: dict[str, object] = {"true": True, "false": False, "nil": None}
_END = Token(Kind.CLOSE, "", 0)
_RANGE_VARIABLES = 2


def parse(text: str) -> Tree:
    """Parse a template. Raise TemplateError saying what is wrong and in which line of it."""
    parser = _Parser(list(tokens(text)))
    body, closing = parser.block(())
    if closing:
        raise TemplateError(f"unexpected {{{{{closing}}}}}")
    return Tree(body, parser.defined)


class _Parser:
    """A recursive descent; `names` are the variables in scope."""

    def __init__(self, stream: list[Token]) -> None:
        self.stream = stream
        self.index = 0
        self.depth = 0
        self.loops = 0
        self.defined: dict[str, Body] = {}
        self.names = ["$", "$labels", "$value", "$externalLabels", "$externalURL"]

    def block(self, closers: tuple[str, ...]) -> tuple[Body, str]:
        """Parse until one of `closers` or the end; return the nodes and which closer ended them."""
        nodes: list[Node] = []
        while self.index < len(self.stream):
            token = self._next()
            if token.kind is Kind.TEXT:
                nodes.append(Text(token.text))
                continue
            self._spaces()
            word = self._peek()
            if word.kind is Kind.WORD and word.text in {"end", "else"}:
                if word.text not in closers:
                    raise _error(word, f"unexpected {{{{{word.text}}}}}")
                self._next()
                self._spaces()
                return tuple(nodes), word.text
            node = self._action(word)
            if node is not None:
                nodes.append(node)
        if closers:
            raise TemplateError("a block has no {{end}}")
        return tuple(nodes), ""

    def _action(self, word: Token) -> Node | None:
        handler = _KEYWORDS.get(word.text) if word.kind is Kind.WORD else None
        if handler is not None:
            self._next()
            self._spaces()
            return handler(self, word)
        pipe = self._pipe()
        self._close()
        return Print(pipe)

    def branch(self, word: Token) -> Node:
        """Parse what follows `if`, `with` or `range`."""
        self._deeper(word)
        scope = len(self.names)
        looping = word.text == "range"
        pipe = self._pipe(2 if looping else 1)
        self._close()
        self.loops += looping
        body, closing = self.block(("end", "else"))
        self.loops -= looping
        otherwise = self._otherwise(word) if closing == "else" else ()
        if closing == "end":
            self._close()
        del self.names[scope:]
        self.depth -= 1
        if looping:
            return Range(pipe, body, otherwise)
        return If(pipe, body, otherwise, sets_dot=word.text == "with")

    def _otherwise(self, word: Token) -> Body:
        follow = self._peek()
        if follow.kind is Kind.WORD and follow.text in {"if", "with"} and word.text != "range":
            self._next()
            self._spaces()
            return (self.branch(follow),)
        self._close()
        body, _ = self.block(("end",))
        self._close()
        return body

    def define(self, word: Token) -> Node | None:
        """Parse what follows `define` or `block`."""
        self._deeper(word)
        name = self._quoted()
        self._spaces()
        pipe = self._pipe() if word.text == "block" else None
        self._close()
        outer, self.names = self.names, ["$"]
        loops, self.loops = self.loops, 0
        body, _ = self.block(("end",))
        self._close()
        self.names, self.loops = outer, loops
        self.depth -= 1
        self.defined[name] = body
        return Call(name, pipe) if pipe else None

    def call(self, _word: Token) -> Node:
        """Parse what follows `template`."""
        name = self._quoted()
        self._spaces()
        pipe = None if self._peek().kind is Kind.CLOSE else self._pipe()
        self._close()
        return Call(name, pipe)

    def leave(self, word: Token) -> Node:
        """Parse `break` or `continue`."""
        if not self.loops:
            raise _error(word, f"{{{{{word.text}}}}} outside {{{{range}}}}")
        self._close()
        return Leave(word.text == "break")

    def _pipe(self, most_variables: int = 1) -> Pipe:
        variables, declares = self._assignment(most_variables)
        commands = [self._command()]
        while self._peek().text == "|":
            self._next()
            self._spaces()
            commands.append(self._command())
        if declares:
            self.names.extend(variables)
        return Pipe(tuple(commands), variables, declares)

    def _assignment(self, most: int) -> tuple[tuple[str, ...], bool]:
        """Parse `$a :=`, `$a =` or `$i, $e :=`; give nothing, and stay, where the pipe begins with none of them."""
        start = self.index
        variables: list[str] = []
        while len(variables) < most and self._peek().kind is Kind.VARIABLE:
            variables.append(self._next().text)
            self._spaces()
            mark = self._peek()
            if mark.text in {":=", "="}:
                self._next()
                self._spaces()
                if mark.text == "=":
                    self._known(mark, variables)
                return tuple(variables), mark.text == ":="
            if mark.text != "," or most < _RANGE_VARIABLES:
                break
            self._next()
            self._spaces()
        self.index = start
        return (), False

    def _known(self, token: Token, variables: list[str]) -> None:
        for name in variables:
            if name not in self.names:
                raise _error(token, f"undefined variable {name!r}")

    def _command(self) -> Command:
        operands: list[Operand] = []
        while self._peek().text not in {"|", ")", "}}"}:
            operands.append(self._operand())
            if self._peek().kind is Kind.SPACE:
                self._spaces()
            elif self._peek().text not in {"|", ")", "}}"}:
                raise _error(self._peek(), f"unexpected {self._peek().text!r}")
        if not operands:
            raise _error(self._peek(), "missing value")
        return Command(tuple(operands))

    def _operand(self) -> Operand:
        operand = self._term()
        while self._peek().kind is Kind.FIELD:
            if isinstance(operand, Literal):
                raise _error(self._peek(), "a constant has no fields")
            operand = Field(operand, self._next().text[1:])
        return operand

    def _term(self) -> Operand:
        token = self._next()
        match token.kind:
            case Kind.DOT:
                return Dot()
            case Kind.FIELD:
                return Field(Dot(), token.text[1:])
            case Kind.VARIABLE:
                self._known(token, [token.text])
                return Variable(token.text)
            case Kind.STRING | Kind.NUMBER:
                return Literal(_constant(token))
            case Kind.WORD:
                return _word(token)
            case Kind.MARK if token.text == "(":
                return self._parenthesis(token)
            case _:
                raise _error(token, f"unexpected {token.text!r}")

    def _parenthesis(self, token: Token) -> Pipe:
        self._deeper(token)
        self._spaces()
        pipe = self._pipe()
        if self._next().text != ")":
            raise _error(token, "unclosed parenthesis")
        self.depth -= 1
        return pipe

    def _deeper(self, token: Token) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _error(token, f"nested deeper than {MAX_DEPTH}")

    def _quoted(self) -> str:
        token = self._next()
        if token.kind is not Kind.STRING:
            raise _error(token, "a template's name is a quoted string")
        return str(_constant(token))

    def _close(self) -> None:
        self._spaces()
        token = self._next()
        if token.kind is not Kind.CLOSE:
            raise _error(token, f"unexpected {token.text!r}")

    def _spaces(self) -> None:
        while self._peek().kind is Kind.SPACE:
            self.index += 1

    def _peek(self) -> Token:
        return self.stream[self.index] if self.index < len(self.stream) else _END

    def _next(self) -> Token:
        token = self._peek()
        self.index += 1
        return token


_KEYWORDS = {
    "if": _Parser.branch,
    "with": _Parser.branch,
    "range": _Parser.branch,
    "define": _Parser.define,
    "block": _Parser.define,
    "template": _Parser.call,
    "break": _Parser.leave,
    "continue": _Parser.leave,
}


def _word(token: Token) -> Operand:
    if token.text in _CONSTANTS:
        return Literal(_CONSTANTS[token.text])
    if token.text not in FUNCTIONS:
        raise _error(token, f"function {token.text!r} not defined")
    return Function(token.text)


def _constant(token: Token) -> object:
    text = token.text
    if text.startswith("`"):
        return text[1:-1]
    try:
        value: object = ast.literal_eval(text if token.kind is Kind.STRING else text.lstrip("+"))
    except (ValueError, SyntaxError) as error:
        raise _error(token, f"bad constant {text}") from error
    return ord(value) if text.startswith("'") and isinstance(value, str) and len(value) == 1 else value


def _error(token: Token, message: str) -> TemplateError:
    return TemplateError(f"line {token.line}: {message}" if token.line else message)
