"""Requests and answers: bounded bodies, JSON, errors."""

import asyncio
import math
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from agent.intake.decoding import IntakeError, decode

T = TypeVar("T")

MAX_BODY = 1024 * 1024
BODY_SECONDS = 10.0
LATEST_SECONDS = 2.0**35
"""Calendars end some centuries after this."""
_GZIP = 16 + zlib.MAX_WBITS


class RequestError(Exception):
    """The request cannot be served; `status` is the HTTP status, the message is for the caller."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def answer(value: object, status: int = 200) -> Response:
    """Return the value as JSON."""
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json")


def found(value: object, what: str) -> Response:
    """Return what was asked for as JSON; raise RequestError where it is None."""
    if value is None:
        raise RequestError(404, f"there is no such {what}")
    return answer(value)


async def body_of(request: Request) -> bytes:
    """Return the whole body, unpacked. Raise RequestError for one that is too large, too slow or oddly encoded."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip"}:
        raise RequestError(415, f"content encoding {encoding!r} is not supported; use gzip or none")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _read(request)
    except TimeoutError as error:
        raise RequestError(408, f"the body did not arrive within {BODY_SECONDS:g} s") from error
    except ClientDisconnect as error:
        raise RequestError(400, "the client hung up before the body was there") from error
    return _unpacked(body) if encoding == "gzip" else body


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise _too_large()
    return bytes(body)


def _unpacked(body: bytes) -> bytes:
    """Unpack gzip, never making more than the limit."""
    unpacker = zlib.decompressobj(_GZIP)
    try:
        text = unpacker.decompress(body, MAX_BODY + 1)
    except zlib.error as error:
        raise RequestError(400, f"bad gzip: {error}") from error
    if len(text) > MAX_BODY:
        raise _too_large()
    if not unpacker.eof or unpacker.unused_data:
        raise RequestError(400, "bad gzip: it is cut off or followed by something")
    return text


def _too_large() -> RequestError:
    return RequestError(413, f"the body is larger than {MAX_BODY} bytes")


def media_type_of(request: Request) -> str:
    """Return what the body says it is, in lower case and without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def require_json(request: Request) -> None:
    """Refuse other media types: a browser cannot send JSON across sites without asking first."""
    media_type = media_type_of(request)
    if media_type != "application/json":
        raise RequestError(415 if media_type else 400, "content-type must be application/json")


async def fields_of(request: Request, shape: type[T]) -> T:
    """Return the body's JSON object as `shape`; an empty body is an empty object."""
    body = await body_of(request)
    if body:
        require_json(request)
    try:
        return decode(body or b"{}", shape)
    except IntakeError as error:
        raise RequestError(400, str(error)) from error


def choice_of(query: Mapping[str, str], name: str, choices: Sequence[str]) -> str:
    """Return one of the choices; the first where the query names none."""
    choice = query.get(name, choices[0])
    if choice not in choices:
        raise RequestError(400, f"{name} must be one of {', '.join(filter(None, choices))}")
    return choice


def number_of(query: Mapping[str, str], name: str, default: int, *, most: int) -> int:
    """Return a positive whole number of the query."""
    text = query.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 0 < int(text) <= most:
        raise RequestError(400, f"{name} must be a whole number from 1 to {most}")
    return int(text)


def seconds_of(query: Mapping[str, str], name: str) -> float:
    """Return an instant of the query, in wall seconds."""
    try:
        seconds = float(query.get(name, ""))
    except ValueError:
        seconds = math.nan
    if not is_instant(seconds):
        raise RequestError(400, f"{name} must be seconds since 1970, at most {LATEST_SECONDS:.0f}")
    return seconds


def is_instant(seconds: float) -> bool:
    """Tell whether these wall seconds are a time that can be written as a date."""
    return 0 <= seconds <= LATEST_SECONDS
