"""Metrics that others leave as *.prom files. Every file is a target; the target "" tells how reading them went."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from collectors.exposition import ExpositionError, parse
from collectors.procfs import shown
from collectors.sample import Origin, Sample, gauge
from collectors.spec import CollectError, NotAvailableError, TargetedSpec

MTIME = gauge("node_textfile_mtime_seconds", "Unixtime mtime of textfiles successfully read.")
SCRAPE_ERROR = gauge("node_textfile_scrape_error", "1 if there was an error opening or reading a file, 0 otherwise")
OVERVIEW = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextfileOptions:
    """The folders to look in, and the size beyond which a file is refused."""

    directories: tuple[Path, ...] = (Path("/var/lib/prometheus/node-exporter"),)
    max_bytes: int = 4 << 20


def targets(options: TextfileOptions) -> Sequence[str]:
    """Return "" and every *.prom file. Raise NotAvailableError when there is none of the folders."""
    if not any(folder.is_dir() for folder in options.directories):
        missing = ", ".join(map(str, options.directories)) or "any"
        raise NotAvailableError(f"there is no such folder: {missing}")
    return [OVERVIEW, *(str(path) for path in _files(options) if _is_named_in_text(path))]


def collect(options: TextfileOptions, target: str) -> Iterator[Sample]:
    if target == OVERVIEW:
        yield from _overview(options)
    else:
        # A broken file raises, so that what it said before is kept as missing and not taken for a recovery.
        yield from _samples(Path(target), options.max_bytes)[1]


def _overview(options: TextfileOptions) -> Iterator[Sample]:
    failed = not all(folder.is_dir() for folder in options.directories)
    for path in _files(options):
        if not _is_named_in_text(path):
            failed = True
            continue
        try:
            mtime, _ = _samples(path, options.max_bytes)
        except CollectError:
            failed = True
        else:
            yield Sample(MTIME.name, mtime, (("file", str(path)),))
    yield Sample(SCRAPE_ERROR.name, float(failed))


def _files(options: TextfileOptions) -> list[Path]:
    return [path for folder in dict.fromkeys(options.directories) for path in sorted(folder.glob("*.prom"))]


def _is_named_in_text(path: Path) -> bool:
    """Tell whether the file can be told by its name: labels are text, and a name may be any bytes."""
    return shown(str(path)) == str(path)


def _samples(path: Path, max_bytes: int) -> tuple[float, tuple[Sample, ...]]:
    """Return the time of the last change and the samples of a file."""
    try:
        # Not blocking, because anybody who may write here could leave a pipe.
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise CollectError(f"{path} is not a file")
            if status.st_size > max_bytes:
                raise CollectError(f"{path} is larger than {max_bytes} bytes")
            content = file.read(max_bytes)
    except OSError as error:
        raise CollectError(f"cannot read {path}: {error.strerror}") from error
    return status.st_mtime, _parsed(path, content)


def _parsed(path: Path, content: bytes) -> tuple[Sample, ...]:
    try:
        exposition = parse(content.decode())
    except ExpositionError as error:
        raise CollectError(f"cannot make sense of {path}: {error}") from error
    except UnicodeDecodeError as error:
        raise CollectError(f"cannot make sense of {path}: it is not UTF-8") from error
    if exposition.timestamped:
        raise CollectError(f"{path} has timestamps of its own: a file is as old as its last change")
    return exposition.samples


SPEC = TargetedSpec(
    name="textfile",
    options=TextfileOptions,
    targets=targets,
    collect=collect,
    metrics=(MTIME, SCRAPE_ERROR),
    origin=Origin.TEXTFILE,
    # The files say what they measure.
    open_metrics=True,
)
