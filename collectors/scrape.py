"""Metrics of other programs, scraped over HTTP in Prometheus' text format. Each configured exporter is a target.

Labels are as Prometheus makes them: `job`, `instance` and those of the target go onto every series, and a label of the
exporter's own that is in their way gets the prefix `exported_`. Timestamps are ignored: a sample is as old as its
scrape.
"""

import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from collectors import web_request
from collectors.exposition import LABEL_NAME, RESERVED, ExpositionError, Series, parse
from collectors.sample import Labels, Origin, Sample, gauge
from collectors.spec import CollectError, Outcome, TargetedSpec

if TYPE_CHECKING:
    from http.client import HTTPResponse

UP = gauge("up", "1 if the last scrape of the target succeeded.")
DURATION = gauge("scrape_duration_seconds", "How long the last scrape took.")
SAMPLES = gauge("scrape_samples_scraped", "Samples that the last scrape gave.")

HEADERS = {"Accept": "text/plain;version=0.0.4, */*;q=0.1", "Accept-Encoding": "gzip"}
EXPORTED = "exported_"
GZIP = 31
"""What zlib calls a stream with gzip's header."""
FORGOTTEN = 1000
"""So many texts of series that are no more may be remembered, beside as many as there are series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeTarget:
    """An exporter. Without a path the URL's is /metrics; `instance` is by default the URL's host and port.

    `token_file` holds a bearer token for it.
    """

    job: str
    url: str
    instance: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    ca_file: Path | None = None
    token_file: Path | None = None

    def __post_init__(self) -> None:
        if not self.job:
            raise ValueError("the job must have a name")
        try:
            web_request.check_url(self.url)
        except ValueError as error:
            raise ValueError(f"{self.job}: {error}") from error
        for name in self.labels:
            if not LABEL_NAME.fullmatch(name) or name.startswith(RESERVED) or name in ("job", "instance"):
                raise ValueError(f"{self.job}: {name!r} cannot be a label of the target")

    @property
    def identity(self) -> str:
        return f"{self.job} {self.instance or urlsplit(self.url).netloc}"

    @property
    def address(self) -> str:
        url = urlsplit(self.url)
        return url._replace(path=url.path or "/metrics").geturl()

    @property
    def all_labels(self) -> dict[str, str]:
        """What goes onto every series."""
        own = {"job": self.job, "instance": self.instance or urlsplit(self.url).netloc}
        return own | {name: value for name, value in self.labels.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeOptions:
    """What to scrape, how long to wait for it and how much of it to read."""

    targets: tuple[ScrapeTarget, ...] = ()
    timeout_seconds: float = 10.0
    max_body_bytes: int = 16 << 20

    def __post_init__(self) -> None:
        names = targets(self)
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two targets are {name!r}")


def targets(options: ScrapeOptions) -> Sequence[str]:
    return [target.identity for target in options.targets]


def collect(options: ScrapeOptions, target: str) -> Sequence[Sample]:
    chosen = _chosen(options, target)
    text = _text(chosen, options)
    known = _known(tuple(sorted(chosen.all_labels.items())))
    try:
        samples = parse(text, known).samples
    except ExpositionError as error:
        raise CollectError(f"{target}: {error}") from error
    if len(known) > 2 * len(samples) + FORGOTTEN:
        known.forget()
    return samples


def outcome(options: ScrapeOptions, target: str, run: Outcome) -> Iterator[Sample]:
    """Yield what Prometheus says of each scrape."""
    labels = tuple(sorted(_chosen(options, target).all_labels.items()))
    yield Sample(UP.name, float(run.succeeded), labels)
    yield Sample(DURATION.name, run.seconds, labels)
    yield Sample(SAMPLES.name, float(run.samples), labels)


def _chosen(options: ScrapeOptions, target: str) -> ScrapeTarget:
    chosen = next((known for known in options.targets if known.identity == target), None)
    if chosen is None:
        raise CollectError(f"nothing to scrape is called {target!r}")
    return chosen


def _text(target: ScrapeTarget, options: ScrapeOptions) -> str:
    deadline = time.monotonic() + options.timeout_seconds
    headers = HEADERS | _authorization(target)
    try:
        with web_request.answered(target.address, deadline, headers=headers, ca_file=target.ca_file) as answer:
            if answer.status != 200:  # noqa: PLR2004 -- anything else is no page of metrics
                raise CollectError(f"{target.identity}: it answers with status {answer.status}")
            body = _body(answer, options.max_body_bytes)
        return body.decode()
    except UnicodeDecodeError as error:
        raise CollectError(f"{target.identity}: the page is not UTF-8") from error
    except (web_request.NoAnswerError, ValueError, zlib.error) as error:
        raise CollectError(f"{target.identity}: {error}") from error


def _authorization(target: ScrapeTarget) -> dict[str, str]:
    """Return the header that shows the token, read anew each time: it may change without a restart."""
    if target.token_file is None:
        return {}
    try:
        token = target.token_file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CollectError(f"{target.identity}: cannot read {target.token_file}") from error
    if not token or not token.isascii() or not token.isprintable():
        raise CollectError(f"{target.identity}: {target.token_file} holds no token")
    return {"Authorization": f"Bearer {token}"}


def _body(answer: "HTTPResponse", most: int) -> bytes:
    """Return the page. Raise ValueError if it is larger than allowed, packed or not."""
    body = answer.read(most + 1)
    if answer.length and len(body) <= most:
        raise ValueError("the page is cut short")
    if answer.headers.get("Content-Encoding", "").lower() == "gzip":
        stream = zlib.decompressobj(GZIP)
        body = stream.decompress(body, most + 1)
        if not stream.eof and len(body) <= most:
            raise ValueError("the packed page is cut short")
    if len(body) > most:
        raise ValueError(f"the page is larger than {most} bytes")
    return body


@lru_cache(maxsize=256)
def _known(own: Labels) -> Series:
    """Return what is remembered of the texts of one target's series; `own` are the target's labels."""

    def finish(labels: Labels) -> Labels:
        pairs, theirs = dict(own), dict(labels)
        for name, value in labels:
            free = name
            while free in pairs or (free in theirs and free != name):
                free = EXPORTED + free
            pairs[free] = value
        return tuple(sorted(pairs.items()))

    return Series(finish)


SPEC = TargetedSpec(
    name="scrape",
    options=ScrapeOptions,
    targets=targets,
    collect=collect,
    outcome=outcome,
    metrics=(UP, DURATION, SAMPLES),
    origin=Origin.SCRAPE,
    # The exporters say what they measure.
    open_metrics=True,
)
