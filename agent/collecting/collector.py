"""A collector with its settings, and the one seam where what it does may go wrong in any way."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from collectors.spec import CollectError, NotAvailableError, Spec

SpecT = TypeVar("SpecT", bound=Spec)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector(Generic[SpecT]):
    """One enabled collector: what it is and how it is to be run."""

    name: str
    spec: SpecT
    options: Any
    interval_seconds: float
    timeout_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a call yielded nothing. `kind` is one of few words; `off` means that trying again is of no use."""

    kind: str
    reason: str
    off: bool = False


def attempt(call: Callable[[], Result]) -> Result | Fault:
    """Call a collector's code and return its result, or what went wrong."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001  # a collector's bug must not end the others; it shows as its failure
        return _fault(error)


async def attempt_async(work: Awaitable[Result]) -> Result | Fault:
    """Do the same for what is awaited."""
    try:
        return await work
    except Exception as error:  # noqa: BLE001  # same
        return _fault(error)


def _fault(error: Exception) -> Fault:
    if isinstance(error, NotAvailableError):
        return Fault(kind="not_available", reason=str(error), off=True)
    if isinstance(error, CollectError):
        return Fault(kind="collect_error", reason=str(error))
    return Fault(kind=type(error).__name__, reason=f"{type(error).__name__}: {error}")
