"""Lines of the systemd journal that match a pattern, as counters. `journalctl --follow` reads, its pipe is the event.

journald hands lines over in batches, so one is seen about half a second after it was written. With a cursor file no
line of this boot is missed while nobody reads; a few may be counted twice after a crash. Without patterns nothing is
started. journalctl follows the boot that /proc/sys tells: where that is not the container's own, nothing is heard.

After a match, or when more comes than is read at once, the pipe is left alone until the next snapshot: a flood of lines
costs a bounded share of a CPU, and gives a few readings a second. What waits meanwhile waits in the journal.
"""

import os
import re
import select
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from collectors.probe_tcp import refuse_twins
from collectors.sample import Sample, counter, gauge, labels
from collectors.spec import CollectError, NotAvailableError, WatchSpec
from collectors.watch.journal_lines import Entry, Lines, entry

MATCHES = counter("paramedic_journal_matches_total", "Lines of the journal that matched a pattern.")
ENTRIES = counter("paramedic_journal_entries_total", "Lines of the journal that were read.")
SKIPPED = counter("paramedic_journal_skipped_total", "Lines of the journal that were too long or made no sense.")
KEPT = gauge("paramedic_journal_cursor_kept", "1 if the place that was read to could be written to the cursor file.")
METRICS = (MATCHES, ENTRIES, SKIPPED, KEPT)

FOLDERS = (Path("/var/log/journal"), Path("/run/log/journal"))
CURSOR = re.compile(r"[A-Za-z0-9=;]{1,500}")
UNIT = re.compile(r"[A-Za-z0-9:_.@\\-]+\.[a-z]+")
FIELDS = "MESSAGE,_TRANSPORT,_PID,_UID,_SYSTEMD_UNIT,UNIT,OBJECT_SYSTEMD_UNIT,COREDUMP_UNIT"
CHUNK_BYTES = 1 << 16
BUDGET_BYTES = 1 << 18
"""How much is read at once: some 300 lines, a few milliseconds."""
REASON_CHARACTERS = 200
END_SECONDS = 2.0
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPattern:
    """What to count: messages in which a regular expression (RE2) is found, of one unit or of the whole host.

    Of a unit are those that it logs, and what systemd and root log about it. `kernel` leaves only those of the kernel:
    anybody may log what looks like one.
    """

    name: str
    match: str
    unit: str = ""
    kernel: bool = False

    def __post_init__(self) -> None:
        _compiled(self.match)
        if self.kernel and self.unit:
            raise ValueError(f"{self.name}: the kernel is no unit")
        if self.unit and not UNIT.fullmatch(self.unit):
            raise ValueError(f"{self.unit!r} is not the whole name of a unit")


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalOptions:
    """What to count, where the journal is (default: this host's), and where to keep the place that was read to."""

    patterns: tuple[JournalPattern, ...] = ()
    cursor_file: Path | None = None
    directory: Path | None = None
    program: str = "journalctl"

    def __post_init__(self) -> None:
        refuse_twins([pattern.name for pattern in self.patterns])


class JournalWatch:
    """The watch over the journal: see `Watch` in collectors/spec.py."""

    def __init__(self, options: JournalOptions) -> None:
        self._options = options
        self._counted = dict.fromkeys(options.patterns, 0)
        self._entries = 0
        self._lines = Lines()
        self._cursor = self._kept = _cursor(options.cursor_file)
        self._reader = _start(options, self._cursor) if options.patterns else None
        self._paused = False
        self._said = ""

    @property
    def fds(self) -> Sequence[tuple[int, int]]:
        fd = self._fd
        return [] if fd is None or self._paused else [(fd, select.EPOLLIN)]

    @property
    def pending(self) -> bool:
        """True while the pipe is left alone."""
        return self._paused

    def read(self, fd: int) -> list[Sample]:
        """Count what the lines say that came. Raise CollectError when there will be no more."""
        return list(self._samples()) if self._take(fd) else []

    def snapshot(self) -> list[Sample]:
        """Go on reading after a pause, keep the place, and say how much was counted."""
        self._keep()
        self._hear()
        if self._paused and self._fd is not None:
            self._take(self._fd)
        return list(self._samples())

    def close(self) -> None:
        if self._reader is not None:
            self._keep()
            _end(self._reader)
            self._reader = None

    @property
    def _fd(self) -> int | None:
        return self._reader.stdout.fileno() if self._reader and self._reader.stdout else None

    def _take(self, fd: int) -> bool:
        """Read what is there, within the budget, and count it. Return whether something matched."""
        matched, taken = False, 0
        while taken < BUDGET_BYTES:
            try:
                chunk = os.read(fd, CHUNK_BYTES)
            except BlockingIOError:
                break
            if not chunk and not taken:
                raise self._ended()
            if not chunk:
                break
            taken += len(chunk)
            for line in self._lines.feed(chunk):
                matched = self._count(entry(line)) or matched
        self._paused = matched or taken >= BUDGET_BYTES
        return matched

    def _count(self, found: Entry | None) -> bool:
        if found is None:
            self._lines.skipped += 1
            return False
        self._entries += 1
        self._cursor = found.cursor or self._cursor
        matching = [pattern for pattern in self._counted if _matches(pattern, found)]
        for pattern in matching:
            self._counted[pattern] += 1
        return bool(matching)

    def _samples(self) -> Iterator[Sample]:
        if self._reader is None:
            return
        for pattern, count in self._counted.items():
            named = {"unit": pattern.unit} if pattern.unit else {}
            yield Sample(MATCHES.name, float(count), labels(pattern=pattern.name, **named))
        yield Sample(ENTRIES.name, float(self._entries))
        yield Sample(SKIPPED.name, float(self._lines.skipped))
        if self._options.cursor_file:
            yield Sample(KEPT.name, float(self._kept == self._cursor))

    def _keep(self) -> None:
        """Write down the place; without fsync, since after a crash an older one does."""
        path = self._options.cursor_file
        if path is None or self._cursor == self._kept:
            return
        new = path.with_name(f".{path.name}.new")
        with suppress(OSError):  # a full disk is no reason to stop counting; a metric tells
            new.write_text(self._cursor)
            new.replace(path)
            self._kept = self._cursor

    def _hear(self) -> None:
        """Take what the reader complains of, lest it wait for somebody to listen."""
        if self._reader and self._reader.stderr:
            with suppress(BlockingIOError):
                said = os.read(self._reader.stderr.fileno(), CHUNK_BYTES).decode("utf-8", "replace")
                self._said = (said.strip().splitlines() or [self._said])[-1]

    def _ended(self) -> CollectError:
        self._hear()
        if "cursor" in self._said and self._options.cursor_file:
            # A place that it cannot go to would end it each time.
            self._options.cursor_file.unlink(missing_ok=True)
        shown = "".join(character if character.isprintable() else "?" for character in self._said[:REASON_CHARACTERS])
        return CollectError(f"{self._options.program} ended: {shown or 'it did not say why'}")


def _matches(pattern: JournalPattern, found: Entry) -> bool:
    meant = found.kernel if pattern.kernel else not pattern.unit or pattern.unit in found.units
    return meant and bool(_compiled(pattern.match)(found.message))


def _start(options: JournalOptions, cursor: str) -> "subprocess.Popen[bytes]":
    program = shutil.which(options.program)
    if program is None:
        raise NotAvailableError(f"there is no {options.program}")
    folders = [options.directory] if options.directory else FOLDERS
    if not any(folder.is_dir() for folder in folders):
        raise NotAvailableError(f"there is no journal in {' or '.join(map(str, folders))}")
    argv = (program, *_arguments(options, cursor))
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    try:
        reader = subprocess.Popen(argv, stdin=null, stdout=pipe, stderr=pipe, env=ENVIRONMENT, cwd="/", bufsize=0)
    except OSError as error:
        raise CollectError(f"cannot start {program}: {error.strerror}") from error
    for output in (reader.stdout, reader.stderr):
        if output is not None:
            os.set_blocking(output.fileno(), False)
    return reader


def _arguments(options: JournalOptions, cursor: str) -> Iterator[str]:
    yield from ("--output=json", f"--output-fields={FIELDS}", "--all", "--quiet", "--follow")
    if options.directory:
        yield f"--directory={options.directory}"
    if all(pattern.unit for pattern in options.patterns):
        yield from sorted({f"--unit={pattern.unit}" for pattern in options.patterns})
    yield from ("--no-tail", f"--after-cursor={cursor}") if cursor else ("--lines=0",)
    if all(pattern.kernel for pattern in options.patterns):
        yield "_TRANSPORT=kernel"


def _end(reader: "subprocess.Popen[bytes]") -> None:
    reader.kill()
    for output in (reader.stdout, reader.stderr):
        if output is not None:
            output.close()
    with suppress(subprocess.TimeoutExpired):
        reader.wait(timeout=END_SECONDS)


def _cursor(path: Path | None) -> str:
    """Return the place that was read to; "" where there is none that could be one: then reading starts now."""
    try:
        text = path.read_text().strip() if path else ""
    except (OSError, ValueError):
        return ""
    return text if CURSOR.fullmatch(text) else ""


@cache
def _compiled(match: str) -> Callable[[bytes], object]:
    import re2  # noqa: PLC0415 -- only where the journal is watched

    options = re2.Options()
    options.log_errors = False
    try:
        # RE2, because anybody on the host may write a line that keeps a backtracking matcher busy.
        search: Callable[[bytes], object] = re2.compile(match.encode(), options).search
    except re2.error as error:
        raise ValueError(f"{match!r} is not a regular expression: {error}") from error
    return search


SPEC = WatchSpec(name="journal", options=JournalOptions, open=JournalWatch, metrics=METRICS)
