"""Text that others wrote, made safe to show: no control or invisible characters, no secrets, a bounded length."""

import re
import unicodedata

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control, format (bidirectional marks, zero width), surrogate, private, unassigned; line and paragraph separators."""

NAMES_ONE = r"(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|credential)[\w-]*['\"]?"
VALUE = r"(?:'[^']*'|\"[^\"]*\"|[^\s,;&]+)"
REVEALING = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?P<keep>\b[a-z][a-z0-9+.-]{0,20}://)[^\s/@]+@",
        r"(?P<keep>\b(?:authorization:\s*\w+|bearer)\s+)[\w.~+/=-]{8,}",
        rf"(?P<keep>{NAMES_ONE}\s*[=:]\s*){VALUE}",
        rf"(?P<keep>(?<![\w-])--?+(?!no-)[\w-]{{0,40}}{NAMES_ONE}\s+){VALUE}",
    )
)
"""Credentials in a URL, an authorization header, `password=…`, `--password …`; `--no-ask-password` has none."""


def one_line(text: str, limit: int) -> str:
    """Return the text on one line of at most `limit` characters; hidden characters become visible escapes."""
    text = text[: 2 * limit]
    if not text.isprintable():  # which nearly all text is; a ticket is worded while a repair waits
        text = "".join(_shown(character) for character in text)
    return shortened(text, limit)


def block(text: str, limit: int) -> str:
    """Like `one_line`, with line breaks kept."""
    lines = text[: 2 * limit].replace("\r\n", "\n").split("\n")
    return shortened("\n".join(one_line(line, limit) for line in lines), limit)


def shortened(text: str, limit: int) -> str:
    """Return the text, its end replaced by an ellipsis if it is longer than `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def redacted(text: str) -> str:
    """Return the text without what looks like a password, token or credentials in a URL."""
    for pattern in REVEALING:
        text = pattern.sub(r"\g<keep>[secret]", text)
    return text


def _shown(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) not in HIDDEN:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{{{code:x}}}"  # noqa: PLR2004 - Latin-1 ends there
