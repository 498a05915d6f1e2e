"""Which of the listed units this host has.

Only these may be told to polkit: the name of one that is not installed could be given to a unit of one's own making.
"""

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

SYSTEMD = Path("/run/systemd/system")
"""Is there exactly where systemd is the service manager."""
_TIMEOUT_SECONDS = 10.0
_IDENTITY = ("Id", "LoadState", "FragmentPath")
_STARTED = ("InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic")
"""When the last start began and ended, in microseconds since boot."""
_TRANSIENT = "/run/systemd/transient/"


class UnitsError(Exception):
    """Systemd could not be asked; the message says why."""


def installed(names: Iterable[str]) -> dict[str, str]:
    """Return the units that have a unit file, each with the name systemd itself calls it by. Raise UnitsError."""
    listed = sorted(names)
    if not listed:
        return {}
    blocks = zip(listed, _shown(listed, _IDENTITY), strict=True)
    return {name: block["Id"] for name, block in blocks if _is_installed(block)}


def start_seconds(names: Iterable[str]) -> dict[str, float]:
    """Return how long the last start of each unit took, where systemd knows. Raise UnitsError."""
    listed = sorted(names)
    if not listed:
        return {}
    took = {}
    for name, block in zip(listed, _shown(listed, _STARTED), strict=True):
        began, was_up = (int(block.get(field) or 0) for field in _STARTED)
        if was_up > began > 0:
            took[name] = (was_up - began) / 1e6
    return took


def _shown(listed: Sequence[str], fields: Sequence[str]) -> list[dict[str, str]]:
    """Return what systemd tells about each of the units."""
    argv = ["systemctl", "show", f"--property={','.join(fields)}", "--", *listed]
    try:
        shown = subprocess.run(argv, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise UnitsError(f"systemd cannot be asked about units: {error}") from error
    blocks = [_properties(block) for block in shown.stdout.strip().split("\n\n")]
    if len(blocks) != len(listed):
        raise UnitsError(f"systemd tells about {len(blocks)} units, asked about {len(listed)}")
    return blocks


def _properties(block: str) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition("=") for line in block.splitlines())}


def _is_installed(unit: dict[str, str]) -> bool:
    fragment = unit.get("FragmentPath", "")
    return unit.get("LoadState") == "loaded" and bool(fragment) and not fragment.startswith(_TRANSIENT)
