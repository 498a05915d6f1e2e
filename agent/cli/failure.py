"""How a command says that it cannot do what it should."""


class CommandFailedError(Exception):
    """The message says what is wrong and what to do; the command exits with 1."""
