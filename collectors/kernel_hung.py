"""Tasks that the kernel found hanging, from /proc/sys/kernel/hung_task_detect_count."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors.procfs import reading
from collectors.sample import Sample, counter
from collectors.spec import CollectorSpec, NotAvailableError

TASKS = counter(
    "node_kernel_hung_tasks_total", "Total number of tasks that have been detected as hung since the system booted."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelHungOptions:
    """Where /proc is."""

    procfs: Path = Path("/proc")


def collect(options: KernelHungOptions) -> Iterator[Sample]:
    path = options.procfs / "sys/kernel/hung_task_detect_count"
    if not path.exists():
        raise NotAvailableError(f"this kernel does not count tasks that hang (Linux 6.13 does): there is no {path}")
    with reading(path) as text:
        yield Sample(TASKS.name, float(text))


SPEC = CollectorSpec(
    name="kernel_hung", options=KernelHungOptions, collect=collect, metrics=(TASKS,), interval_seconds=60.0
)
