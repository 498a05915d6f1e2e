"""Users with passwords: Basic authentication against the hashes of the web configuration.

The system's crypt(3) verifies: it knows bcrypt, which Prometheus' files hold, and takes as long as it should.
"""

import asyncio
import base64
import binascii
import ctypes
import hashlib
import hmac
import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from agent.web.access import AccessError
from agent.web.webconfig import WebConfigError, WebConfigFile

_REMEMBERED = 256
_MOST_WAITING = 16
_PROBE = ("U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")
_BUFFER_BYTES = 256 * 1024
"""More than any implementation's `struct crypt_data`."""


class Users:
    """Belongs to the event loop; hashes are computed on a thread of their own, one at a time."""

    def __init__(self, file: WebConfigFile) -> None:
        """Raise WebConfigError if this system cannot verify such hashes."""
        self._file = file
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")
        self._waiting = 0
        self._known: dict[bytes, None] = {}
        self._salt = secrets.token_bytes(16)
        if file.current.users and not fits(*_PROBE):
            raise WebConfigError("basic_auth_users: crypt(3) of this system does not know bcrypt; use tokens")

    def any(self) -> bool:
        return bool(self._file.current.users)

    async def accepts(self, authorization: str) -> str:
        """Return the user whose name and password stand in a Basic header, "" if they are nobody's."""
        self._file.refresh()
        name, password = _parts(authorization)
        hashed = self._file.current.users.get(name)
        if password is None or "\0" in password:
            return ""
        # An unknown name takes as long as a wrong password.
        wanted = hashed or next(iter(self._file.current.users.values()), "")
        seen = hashlib.blake2b(f"{name}\0{password}\0{wanted}".encode(errors="replace"), key=self._salt).digest()
        if hashed is not None and seen in self._known:
            return name
        if not await self._fits(password, wanted) or hashed is None:
            return ""
        if len(self._known) >= _REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[seen] = None
        return name

    async def _fits(self, password: str, hashed: str) -> bool:
        if self._waiting >= _MOST_WAITING:
            raise AccessError(429, "too many passwords wait to be looked at", {"retry-after": "1"})
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, fits, password, hashed)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def fits(password: str, hashed: str) -> bool:
    """Return whether the hash is of this password."""
    found = _crypt(password.encode(errors="surrogateescape"), hashed.encode())
    return found is not None and hmac.compare_digest(found, hashed.encode())


def _crypt(password: bytes, hashed: bytes) -> bytes | None:
    function = _library()
    if function is None:
        return None
    answer: bytes | None = function(password, hashed, ctypes.create_string_buffer(_BUFFER_BYTES))
    return answer


@cache
def _library() -> "ctypes._NamedFuncPointer | None":
    """Return crypt_r(3); None where there is none."""
    for name in ("libcrypt.so.1", "libcrypt.so.2", None):
        try:
            function = ctypes.CDLL(name).crypt_r
        except (OSError, AttributeError):
            continue
        function.restype = ctypes.c_char_p
        function.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p)
        return function
    return None


def _parts(authorization: str) -> tuple[str, str | None]:
    """Return name and password of a Basic header; no password if it is none."""
    try:
        text = base64.b64decode(authorization.partition(" ")[2].strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", None
    name, colon, password = text.partition(":")
    return name, password if colon else None
