"""The direct runner: starts a plan as the current user, bounds it in time and output, and tells how it ended."""

import contextlib
import fcntl
import os
import pwd
import resource
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from remediations import processes
from remediations.output import CappedOutput
from remediations.plan import Plan

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
GRACE_SECONDS = 2.0
"""Between TERM and KILL."""

_CHUNK = 64 * 1024


class RunError(Exception):
    """The plan could not be started; the message says why."""


class Outcome(StrEnum):
    """How a run ended. Succeeded says that the program did, not that it helped."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What tells a run's first process from every other, on every boot: kept so that a crash leaves no stray run."""

    run_id: str
    pid: int
    start_ticks: int
    boot_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a run ended; `output` is printable text, `exit_code` or `signal` is None where the other holds."""

    outcome: Outcome
    detail: str
    output: str = ""
    exit_code: int | None = None
    signal: int | None = None
    duration_seconds: float = 0.0


class DirectRunner:
    """Runs plans as the current user. Threads may share it: each run belongs to the thread that waits for it."""

    def __init__(self, *, boot_id: str, search_path: str = SEARCH_PATH, grace_seconds: float = GRACE_SECONDS) -> None:
        self.boot_id = boot_id
        self._grace_seconds = grace_seconds
        # Built from nothing, so that no NOTIFY_SOCKET, LISTEN_FDS or credential of the daemon reaches a child.
        self._environment = {"PATH": search_path, "LANG": "C.UTF-8", "HOME": _home()}
        self._lock = threading.Lock()
        self._stopping = False
        self._running: set[Running] = set()

    def run(self, run_id: str, plan: Plan, timeout_seconds: float, on_started: Callable[[Record], None]) -> Result:
        """Start the plan, hand its record to `on_started`, and wait until it has ended."""
        with self._lock:
            if self._stopping:
                return Result(outcome=Outcome.INTERRUPTED, detail="not started: the daemon is stopping")
            try:
                running = self.start(run_id, plan, timeout_seconds)
            except RunError as error:
                return Result(outcome=Outcome.FAILED, detail=str(error))
            self._running.add(running)
        try:
            on_started(running.record)
            return running.wait()
        finally:
            running.close()
            with self._lock:
                self._running.discard(running)

    def start(self, run_id: str, plan: Plan, timeout_seconds: float) -> "Running":
        """Start the plan; raise RunError if it cannot be. The caller must `wait`, and `close` when it is done."""
        began = time.monotonic()
        environment = {**self._environment, **dict(plan.environment), processes.MARK: run_id}
        try:
            # No preexec_fn: with it the child is forked, not vforked, which costs more the larger the daemon is.
            process = subprocess.Popen(
                plan.argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                cwd="/",
                env=environment,
                start_new_session=True,
                umask=0o022,
            )
        except (OSError, ValueError) as error:
            raise RunError(f"cannot start {plan.argv[0]!a}: {error}") from error
        try:
            return Running(process, self._record(run_id, process.pid), began + timeout_seconds, self._grace_seconds)
        except OSError as error:
            _end_at_once(process)
            raise RunError(f"cannot follow {plan.argv[0]!a}, so it was ended: {error}") from error

    def stop(self) -> None:
        """Interrupt every run and start no more. The waiting threads get their results within the grace and 2 s."""
        with self._lock:
            self._stopping = True
            for running in self._running:
                running.cancel()

    def find(self, run_id: str, argv: tuple[str, ...]) -> Record | None:
        """Return the record of a run that a crash kept from being recorded; None if its first process is gone."""
        found = processes.leader(run_id, argv)
        return self._record(run_id, found.pid) if found is not None else None

    def end_survivors(self, record: Record) -> bool:
        """End what is left of a run that a crash of the daemon orphaned; return whether anything was.

        Only if the run's first process is still there: same boot, same pid, same start time. If it has ended, the run
        has, and what it left behind is its work, as after every run.
        """
        found = processes.process(record.pid)
        if record.boot_id != self.boot_id or found is None or found.start_ticks != record.start_ticks:
            return False
        processes.end_run(record.pid, record.run_id, self._grace_seconds)
        return True

    def _record(self, run_id: str, pid: int) -> Record:
        found = processes.process(pid)
        return Record(run_id=run_id, pid=pid, start_ticks=found.start_ticks if found else 0, boot_id=self.boot_id)


class Running:
    """A run under way. It ends when its first process does: what that left in the background lives on.

    Such a process loses the pipe its output went into, so a start script must redirect what it starts.
    """

    def __init__(self, process: subprocess.Popen[bytes], record: Record, deadline: float, grace_seconds: float) -> None:
        self.record = record
        self._process = process
        self._deadline = deadline
        self._grace_seconds = grace_seconds
        self._began = time.monotonic()
        self._output = CappedOutput()
        self._lock = threading.Lock()
        self._waited = False
        self._closed = False
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        self._stdout = process.stdout
        self._pipe = process.stdout.fileno()
        self._cancelled = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        try:
            self._ended = os.pidfd_open(process.pid)
        except OSError:
            os.close(self._cancelled)
            raise
        os.set_blocking(self._pipe, False)
        with contextlib.suppress(OSError):  # it may already be gone, or be a program of another user
            hard = resource.prlimit(process.pid, resource.RLIMIT_CORE)[1]
            resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, hard))

    def wait(self) -> Result:
        """Return how the run ended: by itself, at its time-out, or because it was cancelled."""
        cut_short = self._follow()
        self._waited = True
        ended = not cut_short or self._finish()
        self._drain()
        status = self._process.returncode if cut_short else self._process.wait()
        outcome, detail = _verdict(status, cut_short)
        return Result(
            outcome=outcome,
            detail=detail if ended else f"{detail}; not every process could be ended",
            output=self._output.text(),
            exit_code=status if status is not None and status >= 0 else None,
            signal=-status if status is not None and status < 0 else None,
            duration_seconds=time.monotonic() - self._began,
        )

    def cancel(self) -> None:
        """End the run as interrupted. Any thread may call it, at any time."""
        with self._lock:
            if not self._closed:
                os.eventfd_write(self._cancelled, 1)

    def close(self) -> None:
        """Let go of the run; one that nobody waited for is ended first."""
        if not self._waited:
            self._finish()
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._cancelled)
                os.close(self._ended)
                self._stdout.close()

    def _finish(self) -> bool:
        self._waited = True
        all_ended = processes.end_run(self.record.pid, self.record.run_id, self._grace_seconds)
        self._process.poll()
        return all_ended

    def _follow(self) -> Outcome | None:
        """Read output until the process ends (None), the time is over, or the run is cancelled."""
        poll = select.poll()
        for descriptor in (self._pipe, self._ended, self._cancelled):
            poll.register(descriptor, select.POLLIN)
        while (remaining := self._deadline - time.monotonic()) > 0:
            ready = {descriptor for descriptor, _ in poll.poll(remaining * 1000)}
            if self._cancelled in ready:
                return Outcome.INTERRUPTED
            if self._ended in ready:
                return None
            if self._pipe in ready and self._read() == 0:
                poll.unregister(self._pipe)
        return Outcome.TIMED_OUT

    def _read(self) -> int:
        """Take what the pipe holds now; return how much, 0 at its end, -1 when it is only empty."""
        try:
            chunk = os.read(self._pipe, _CHUNK)
        except BlockingIOError:
            return -1
        self._output.feed(chunk)
        return len(chunk)

    def _drain(self) -> None:
        """Take what the pipe held when the process ended; a survivor may go on filling it for ever."""
        left = fcntl.fcntl(self._pipe, fcntl.F_GETPIPE_SZ)
        while left > 0 and (taken := self._read()) > 0:
            left -= taken


def _end_at_once(process: subprocess.Popen[bytes]) -> None:
    """End what has just begun and cannot be bounded, because there are no more descriptors: this takes none."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone, or a program of another user
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdout is not None:
        process.stdout.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)


def _verdict(status: int | None, cut_short: Outcome | None) -> tuple[Outcome, str]:
    if cut_short is Outcome.TIMED_OUT:
        return cut_short, "timed out and was ended"
    if cut_short:
        return cut_short, "interrupted: the daemon stopped"
    if status is None or status < 0:
        return Outcome.FAILED, f"killed by {signal_name(-(status or 0))}"
    return (Outcome.FAILED, f"exit status {status}") if status else (Outcome.SUCCEEDED, "exit status 0")


def signal_name(number: int) -> str:
    """Return the signal's name, or its number where it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _home() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return "/"
