"""How many processes and threads there are, and in which states, from /proc. It reads a file of each process."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors.procfs import read_once, reading
from collectors.sample import Sample, gauge
from collectors.spec import CollectError, CollectorSpec

PIDS = gauge("node_processes_pids", "Number of PIDs")
THREADS = gauge("node_processes_threads", "Allocated threads in system")
STATE = gauge("node_processes_state", "Number of processes in each state.")
LIMITS = {
    "pid_max": gauge("node_processes_max_processes", "Number of max PIDs limit"),
    "threads-max": gauge("node_processes_max_threads", "Limit of threads in the system"),
}
THREADS_FIELD = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessesSummaryOptions:
    """Where /proc is."""

    procfs: Path = Path("/proc")


def collect(options: ProcessesSummaryOptions) -> Iterator[Sample]:
    states: Counter[str] = Counter()
    threads = 0
    for pid in _pids(options.procfs):
        try:
            text = read_once(Path(f"{options.procfs}/{pid}/stat"))
        except CollectError:
            # It ended since the folder was listed.
            continue
        # The name in parentheses may hold spaces and parentheses itself: the last one ends it.
        fields = text[text.rfind(")") + 2 :].split(None, THREADS_FIELD + 1)
        if len(fields) > THREADS_FIELD and fields[THREADS_FIELD].isdecimal():
            states[fields[0]] += 1
            threads += int(fields[THREADS_FIELD])
    yield Sample(PIDS.name, float(states.total()))
    yield Sample(THREADS.name, float(threads))
    for state, count in states.items():
        yield Sample(STATE.name, float(count), (("state", state),))
    for name, metric in LIMITS.items():
        with reading(options.procfs / "sys/kernel" / name) as text:
            yield Sample(metric.name, float(text))


def _pids(procfs: Path) -> list[str]:
    try:
        return [name for name in os.listdir(procfs) if name.isdecimal()]  # noqa: PTH208 -- a Path for each is dear
    except OSError as error:
        raise CollectError(f"cannot read {procfs}: {error.strerror}") from error


SPEC = CollectorSpec(
    name="processes_summary",
    options=ProcessesSummaryOptions,
    collect=collect,
    metrics=(PIDS, THREADS, STATE, *LIMITS.values()),
    interval_seconds=60.0,
)
