"""What a run printed: its first and last 32 KiB, safe to show anywhere."""

LIMIT = 32 * 1024


class CappedOutput:
    """Bytes as they come; memory stays the same however many they are."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def feed(self, chunk: bytes) -> None:
        room = LIMIT - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        surplus = len(self._tail) - LIMIT
        if surplus > 0:
            del self._tail[:surplus]
            self._dropped += surplus

    def text(self) -> str:
        """Return what was kept as printable text; what is no UTF-8 and what is not printable stands as an escape."""
        if not self._dropped:
            return printable(bytes(self._head + self._tail))
        return f"{printable(bytes(self._head))}\n[{self._dropped} bytes left out]\n{printable(bytes(self._tail))}"


def printable(raw: bytes) -> str:
    """Decode any bytes; only newlines and tabs remain of the characters that steer a terminal or forge a log line."""
    text = raw.decode("utf-8", errors="backslashreplace")
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
