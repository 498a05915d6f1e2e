"""What became of every run: one folder each, made durable before the run begins, so that none begins twice."""

from __future__ import annotations

import errno
import os
import time

from remediations.exec_helper import wire
from remediations.exec_helper.durable import VERDICT, flush, replace, write
from remediations.output import CappedOutput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Ended = dict[str, dict[str, dict[str, float]]]
    """When runs began that have ended: by boot, by the words of their argv (with zeros between), by their id."""

ARGV, ORDER, OUTPUT, PRINTED = "argv", "order.json", "output", "printed"
KEPT = 2000
"""The oldest of more runs than this are forgotten whole."""
RESERVE_BYTES = 256 * 1024
MOST_OUTPUT = 1024 * 1024
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Run:
    """A run on record. `began` is in seconds of the record's own time, see `Records`."""

    def __init__(self, *, id: str, argv: tuple[str, ...], began: float, boot_id: str) -> None:  # noqa: A002
        self.id = id
        self.argv = argv
        self.began = began
        self.boot_id = boot_id


class Verdict:
    """How a run ended, in systemd's words: SERVICE_RESULT, EXIT_CODE, EXIT_STATUS."""

    def __init__(self, *, result: str, code: str = "", status: str = "") -> None:
        self.result = result
        self.code = code
        self.status = status


class Records:
    """The runs of `folder`. `boot_id` is this boot's. What stands in `ended` need not be read again, run by run.

    Time on record is CLOCK_BOOTTIME, and goes on with a boot where the last run of the one before left it: it is never
    ahead of what has passed, whatever happens to the clocks.
    """

    def __init__(self, folder: str, boot_id: str, ended: Ended | None = None) -> None:
        self._folder = folder
        self._boot_id = boot_id
        os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103 - see trust.py
        self._reserve = f"{folder}.reserve"
        self._keep_reserve()
        noted = {run.id: run for run in _noted(ended or {})}
        self._runs = {name: noted.get(name) or self._read(name) for name in os.listdir(folder)}  # noqa: PTH208
        self._before = self._left_off()
        self._open = {run_id for run_id in self._runs if run_id not in noted and self.is_of_this_boot(run_id)}

    def known(self, run_id: str) -> bool:
        return run_id in self._runs or os.path.lexists(self.path(run_id))

    def path(self, run_id: str, name: str = "") -> str:
        return f"{self._folder}/{run_id}/{name}".rstrip("/")

    def claim(self, run_id: str, argv: tuple[str, ...], policy: str) -> bool:
        """Write durably that the run begins now; False if that stands there already. Raise OSError: it does not begin.

        On a full disk the reserve makes room: what is to run may be what empties it.
        """
        try:
            return self._claim(run_id, argv, policy)
        except OSError as error:
            _remove(self.path(run_id))
            if error.errno not in _FULL or not os.path.exists(self._reserve):  # noqa: PTH110
                raise
        os.unlink(self._reserve)  # noqa: PTH108
        return self._claim(run_id, argv, policy)

    def _claim(self, run_id: str, argv: tuple[str, ...], policy: str) -> bool:
        try:
            os.mkdir(self.path(run_id), mode=0o700)  # noqa: PTH102
        except FileExistsError:
            return False
        run = Run(id=run_id, argv=argv, began=self._now(), boot_id=self._boot_id)
        order = {"argv": argv, "policy": policy, "began": run.began, "boot_id": run.boot_id, "at": time.time()}
        write(self.path(run_id, ARGV), "\0".join(argv).encode(), lasting=False)  # what it is for would not last either
        write(self.path(run_id, ORDER), wire.dumps(order))
        flush(self.path(run_id))
        flush(self._folder)
        self._runs[run_id] = run
        self._open.add(run_id)
        self._prune()
        return True

    def verdict(self, run_id: str) -> Verdict | None:
        """Return how the run ended; None while nobody has said so."""
        try:
            with open(self.path(run_id, VERDICT), encoding="utf-8", errors="replace") as file:  # noqa: PTH123
                result, _, rest = file.read(200).partition(" ")
        except OSError:
            return None
        code, _, status = rest.partition(" ")
        return Verdict(result=result, code=code, status=status)

    def conclude(self, run_id: str, verdict: Verdict) -> None:
        """Write down how a run ended that could not say so itself."""
        text = f"{verdict.result} {verdict.code} {verdict.status}"
        replace(self.path(run_id, VERDICT), text.encode("ascii", "replace"))

    def argv(self, run_id: str) -> tuple[str, ...]:
        return self._runs[run_id].argv

    def output(self, run_id: str) -> str:
        """Return what is kept of what the run printed; `PRINTED` is as the program of a brief run wrote it."""
        try:
            with open(self.path(run_id, PRINTED), "rb") as file:  # noqa: PTH123
                printed = CappedOutput()
                printed.feed(file.read(MOST_OUTPUT))
                return printed.text()
        except FileNotFoundError:
            return self._kept(run_id)

    def _kept(self, run_id: str) -> str:
        try:
            with open(self.path(run_id, OUTPUT), encoding="utf-8", errors="replace") as file:  # noqa: PTH123
                return file.read(MOST_OUTPUT)
        except OSError:
            return ""

    def is_of_this_boot(self, run_id: str) -> bool:
        return run_id in self._runs and self._runs[run_id].boot_id == self._boot_id

    def age(self, run_id: str) -> float:
        """Return for how many seconds the run has been on record, at least; the wall clock has no say in it."""
        run = self._runs[run_id]
        return self._now() - run.began if run.boot_id else _boottime()

    def _now(self) -> float:
        return self._before + _boottime()

    def _left_off(self) -> float:
        """Return the time on record when this boot began, or less: runs that would tell may have been forgotten."""
        running = _boottime()
        whole = [run for run in self._runs.values() if run.boot_id]
        ours = [run.began - running for run in whole if run.boot_id == self._boot_id]
        return max([0.0, *ours, *(run.began for run in whole if run.boot_id != self._boot_id)])

    def open(self) -> list[str]:
        """Return the runs of this boot that nobody has called ended."""
        self._open = {run_id for run_id in self._open if self.verdict(run_id) is None}
        return sorted(self._open)

    def ended(self) -> Ended:
        """Return every run on record that is not open."""
        found: Ended = {}
        still = set(self.open())
        for run in self._runs.values():
            if run.boot_id and run.id not in still:
                found.setdefault(run.boot_id, {}).setdefault("\0".join(run.argv), {})[run.id] = run.began
        return found

    def within(self, seconds: float, argv: tuple[str, ...] | None = None) -> int:
        """Return how many runs began within the last seconds, of one argv or of all."""
        return sum(argv in {None, run.argv} and self.age(run.id) < seconds for run in self._runs.values())

    def forget(self, run_id: str) -> None:
        """Let go of what a run printed and was told; that there was such a run stays known."""
        for name in (OUTPUT, PRINTED, ARGV):
            if os.path.lexists(self.path(run_id, name)):
                os.unlink(self.path(run_id, name))  # noqa: PTH108

    def _read(self, run_id: str) -> Run:
        try:
            with open(self.path(run_id, ORDER), "rb") as file:  # noqa: PTH123
                order = wire.loads(file.read())
            return Run(id=run_id, argv=tuple(order["argv"]), began=order["began"], boot_id=order["boot_id"])
        except (OSError, ValueError, KeyError, TypeError):
            # A crash tore it: it never began, and never will.
            return Run(id=run_id, argv=(), began=_boottime(), boot_id="")

    def _keep_reserve(self) -> None:
        """Set room aside, unless it is there or there is none."""
        try:
            if not os.path.exists(self._reserve):  # noqa: PTH110
                write(self._reserve, bytes(RESERVE_BYTES))
        except OSError:
            return

    def _prune(self) -> None:
        while len(self._runs) > KEPT:
            oldest = max(self._runs, key=self.age)
            _remove(self.path(oldest))
            del self._runs[oldest]


def _noted(ended: Ended) -> Iterator[Run]:
    for boot_id, argvs in ended.items():
        for words, runs in argvs.items():
            argv = tuple(words.split("\0"))
            yield from (Run(id=each, argv=argv, began=began, boot_id=boot_id) for each, began in runs.items())


def _remove(folder: str) -> None:
    """Remove a folder that holds only files, as far as that goes."""
    try:
        for name in os.listdir(folder):  # noqa: PTH208
            os.unlink(f"{folder}/{name}")  # noqa: PTH108
        os.rmdir(folder)  # noqa: PTH106
    except OSError:
        return


def _boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
