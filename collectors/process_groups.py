"""Groups of processes: how many there are by a name of your own, and what they hold. psutil does the reading."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from collectors.probe_tcp import refuse_twins
from collectors.processes import compiled
from collectors.procfs import shown
from collectors.sample import Sample, gauge
from collectors.spec import CollectError, CollectorSpec

if TYPE_CHECKING:
    from psutil import Process

PROCESSES = gauge("paramedic_process_group_processes", "Processes whose command line belongs to the group.")
THREADS = gauge("paramedic_process_group_threads", "Threads of these processes.")
RESIDENT = gauge(
    "paramedic_process_group_resident_memory_bytes", "Memory that they hold, shared pages counted for each."
)
OPEN_FILES = gauge("paramedic_process_group_open_files", "Open file descriptors of those that may be looked into.")
OLDEST = gauge("paramedic_process_group_oldest_start_time_seconds", "When the oldest of them started, since the epoch.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessGroup:
    """A name, and a regular expression (RE2) that matches the whole command line."""

    name: str
    command: str

    def __post_init__(self) -> None:
        compiled(self.command)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupOptions:
    """Where /proc is, and the groups. Every process is looked at once an interval: about 30 µs each."""

    procfs: Path = Path("/proc")
    groups: tuple[ProcessGroup, ...] = ()

    def __post_init__(self) -> None:
        refuse_twins([group.name for group in self.groups])


@dataclass(slots=True)
class _Sums:
    processes: int = 0
    threads: int = 0
    resident: int = 0
    open_files: int = 0
    oldest: float = 0.0

    def add(self, process: "Process") -> None:
        import psutil  # noqa: PLC0415 -- only where groups are configured

        with process.oneshot():
            started = process.create_time()
            self.threads += process.num_threads()
            self.resident += process.memory_info().rss
            with contextlib.suppress(psutil.AccessDenied):  # another user's may be counted, and no more
                self.open_files += process.num_fds()
        self.processes += 1
        self.oldest = min(started, self.oldest or started)


def collect(options: GroupOptions) -> Iterator[Sample]:
    """Yield the figures of each group; one without a process has only its zero."""
    if not options.groups:
        return
    for name, sums in _summed(options).items():
        labels = (("group", name),)
        yield Sample(PROCESSES.name, float(sums.processes), labels)
        if sums.processes:
            yield Sample(THREADS.name, float(sums.threads), labels)
            yield Sample(RESIDENT.name, float(sums.resident), labels)
            yield Sample(OPEN_FILES.name, float(sums.open_files), labels)
            yield Sample(OLDEST.name, sums.oldest, labels)


def _summed(options: GroupOptions) -> dict[str, _Sums]:
    """Return the sums by group; a process belongs to the first group that it matches."""
    import psutil  # noqa: PLC0415 -- only where groups are configured

    psutil.PROCFS_PATH = str(options.procfs)
    sums = {group.name: _Sums() for group in options.groups}
    patterns = [(group.name, compiled(group.command).fullmatch) for group in options.groups]
    try:
        for process in psutil.process_iter():
            try:
                line = shown(" ".join(process.cmdline()))
                name = next((name for name, fullmatch in patterns if line and fullmatch(line)), None)
                if name is not None:
                    sums[name].add(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue  # it ended while it was read, or hides from us
    except OSError as error:
        raise CollectError(f"cannot read processes below {options.procfs}: {error}") from error
    return sums


METRICS = (PROCESSES, THREADS, RESIDENT, OPEN_FILES, OLDEST)
SPEC = CollectorSpec(name="process_groups", options=GroupOptions, collect=collect, metrics=METRICS, blocking=True)
