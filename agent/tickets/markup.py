"""Plain text for systems that format what they are given: it is shown as it is, whatever stands in it."""

import re

_FENCE = re.compile(r"`{3,}")
_CODE = re.compile(r"\[(/?code)", re.IGNORECASE)
_NOFORMAT = re.compile(r"\{(noformat)", re.IGNORECASE)
_TAG = re.compile(r"<(/?)(pre|code|notextile)", re.IGNORECASE)


def fenced(text: str) -> str:
    """Return a block of code in Markdown: no links, images, mentions or commands."""
    fence = "`" * max(3, 1 + max(map(len, _FENCE.findall(text)), default=0))
    return f"{fence}text\n{text}\n{fence}"


def preformatted(text: str) -> str:
    """Return a block of code in Textile; tags that would end it are spaced out."""
    spaced = _TAG.sub(r"< \1\2", text)
    return f"<pre>\n{spaced}\n</pre>"


def noformat(text: str) -> str:
    """Return a block of unformatted text in Jira's wiki markup; a tag that would end it is spaced out."""
    spaced = _NOFORMAT.sub(r"{ \1", text)
    return f"{{noformat}}\n{spaced}\n{{noformat}}"


def uncoded(text: str) -> str:
    """Return the text for a journal of ServiceNow, where only `[code]` is markup."""
    return _CODE.sub(r"[ \1", text)


def html(text: str) -> str:
    """Return a block of code in HTML."""
    return "<pre>" + text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") + "</pre>"
