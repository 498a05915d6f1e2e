"""Software RAID: disks that an array needs and has, and what it is doing, from /proc/mdstat."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from collectors.procfs import reading
from collectors.sample import Sample, gauge
from collectors.spec import CollectorSpec, NotAvailableError

DISKS = gauge("node_md_disks", "Number of active/failed/spare disks of device.")
REQUIRED = gauge("node_md_disks_required", "Total number of disks of device.")
STATE = gauge("node_md_state", "Indicates the state of md-device.")
BLOCKS = gauge("node_md_blocks", "Total number of blocks on device.")
SYNCED = gauge("node_md_blocks_synced", "Number of blocks synced on device.")

HEAD = re.compile(r"^(md\S*) : (active|inactive)\b(.*)$", re.MULTILINE)
MEMBER = re.compile(r"\S+\[\d+\]((?:\([A-Z]\))*)")
COUNTS = re.compile(r"\[(\d+)/(\d+)\]")
BLOCKS_WORD = re.compile(r"(\d+) blocks")
WORK = re.compile(r"\b(recovery|resync|check)\s*=")
DONE = re.compile(r"\((\d+)/\d+\)")
STATES = ("active", "inactive", "recovering", "resync", "check")


class Array(NamedTuple):
    """One array."""

    state: str
    required: int
    active: int
    failed: int
    spare: int
    blocks: int
    synced: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MdadmOptions:
    """Where /proc is."""

    procfs: Path = Path("/proc")


def collect(options: MdadmOptions) -> Iterator[Sample]:
    path = options.procfs / "mdstat"
    if not path.exists():
        raise NotAvailableError(f"this host has no software RAID: there is no {path}")
    with reading(path) as text:
        heads = [*HEAD.finditer(text)]
        for head, end in pairwise((*(head.start() for head in heads), len(text))):
            yield from _samples(*_array(text[head:end]))


def _array(text: str) -> tuple[str, Array]:
    """Return name and array of a paragraph that begins with a head."""
    line, _, rest = text.partition("\n")
    head = HEAD.match(line)
    blocks = BLOCKS_WORD.search(rest)
    if head is None or blocks is None:
        raise ValueError(f"not an array: {line!r}")
    name, state, members = head.groups()
    flags = [member[1] for member in MEMBER.finditer(members)]
    working = WORK.search(rest)
    done = DONE.search(rest) if working else None
    synced = (int(done[1]) if done else 0) if working else int(blocks[1])
    if working and state == "active":
        state = "recovering" if working[1] == "recovery" else working[1]
    failed, spare = (sum(letter in flag for flag in flags) for letter in ("(F)", "(S)"))
    required, active = _disks(head[2], len(flags), COUNTS.search(rest))
    return name, Array(state, required, active, failed, spare, int(blocks[1]), synced)


def _disks(state: str, members: int, counts: re.Match[str] | None) -> tuple[int, int]:
    """Return how many disks it needs and has: an inactive array none, one without redundancy all that it has."""
    if state == "inactive":
        return 0, 0
    return (int(counts[1]), int(counts[2])) if counts else (members, members)


def _samples(name: str, array: Array) -> Iterator[Sample]:
    device = ("device", name)
    for state in STATES:
        yield Sample(STATE.name, float(state == array.state), (device, ("state", state)))
    for state, disks in (("active", array.active), ("failed", array.failed), ("spare", array.spare)):
        yield Sample(DISKS.name, float(disks), (device, ("state", state)))
    yield Sample(REQUIRED.name, float(array.required), (device,))
    yield Sample(BLOCKS.name, float(array.blocks), (device,))
    yield Sample(SYNCED.name, float(array.synced), (device,))


SPEC = CollectorSpec(
    name="mdadm",
    options=MdadmOptions,
    collect=collect,
    metrics=(DISKS, REQUIRED, STATE, BLOCKS, SYNCED),
    interval_seconds=60.0,
)
