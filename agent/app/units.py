"""Which of the listed units this host has.

Only these may be told to polkit: the name of one that is not installed could be given to a unit of one's own making.
"""

import subprocess
from collections.abc import Iterable
from pathlib import Path

SYSTEMD = Path("/run/systemd/system")
"""Is there exactly where systemd is the service manager."""
_TIMEOUT_SECONDS = 10.0
_SHOWN = ("Id", "LoadState", "FragmentPath")
_TRANSIENT = "/run/systemd/transient/"


class UnitsError(Exception):
    """Systemd could not be asked; the message says why."""


def installed(names: Iterable[str]) -> dict[str, str]:
    """Return the units that have a unit file, each with the name systemd itself calls it by. Raise UnitsError."""
    listed = sorted(names)
    if not listed:
        return {}
    argv = ["systemctl", "show", f"--property={','.join(_SHOWN)}", "--", *listed]
    try:
        shown = subprocess.run(argv, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise UnitsError(f"systemd cannot be asked about units: {error}") from error
    blocks = [_properties(block) for block in shown.stdout.strip().split("\n\n")]
    if len(blocks) != len(listed):
        raise UnitsError(f"systemd tells about {len(blocks)} units, asked about {len(listed)}")
    return {name: block["Id"] for name, block in zip(listed, blocks, strict=True) if _is_installed(block)}


def _properties(block: str) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition("=") for line in block.splitlines())}


def _is_installed(unit: dict[str, str]) -> bool:
    fragment = unit.get("FragmentPath", "")
    return unit.get("LoadState") == "loaded" and bool(fragment) and not fragment.startswith(_TRANSIENT)
