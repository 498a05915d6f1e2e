"""What an installation consists of: every file with its place, content and mode."""

import sys
from dataclasses import dataclass
from pathlib import Path

from agent.app import polkit, units
from agent.app.planning import listed_units
from agent.config.options import Config
from agent.install.bundle import bundle
from agent.install.policies import MARK, policies
from remediations.exec_helper.policy import FOLDER

POLICIES = Path(FOLDER)
HELPER = Path("/usr/lib/paramedic/exec-helper.pyz")
POLKIT = Path("/etc/polkit-1/rules.d/50-paramedic.rules")
UNITS = Path("/etc/systemd/system")
SERVICE, SOCKET, HELPER_SERVICE = "paramedic.service", "paramedic-exec.socket", "paramedic-exec.service"
DRILL, DRILL_TIMER = "paramedic-drill@.service", "paramedic-drill@.timer"
USER = "paramedic"
_VENV = b"/opt/paramedic/venv"
"""Where the unit file expects the program; replaced by where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that root owns."""

    path: Path
    content: bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What should be there, what of ours should not, and what could not be made."""

    files: tuple[File, ...]
    obsolete: tuple[Path, ...]
    problems: tuple[str, ...]


def layout(config: Config, root: Path, *, helper: bool = True) -> Layout:
    """Return what belongs onto the host below `root`: with the root helper, or with polkit for unit verbs alone."""
    files = [*_service(), *(_helper() if helper else ())]
    problems: tuple[str, ...] = ()
    if helper:
        made = policies(config)
        files += [File(path=POLICIES / name, content=text.encode()) for name, text in made.files.items()]
        problems = made.problems
    else:
        files.append(_polkit(config, root))
    wanted = {file.path for file in files}
    obsolete = tuple(path for path in ours(root) if path not in wanted)
    return Layout(files=tuple(files), obsolete=obsolete, problems=problems)


def ours(root: Path) -> list[Path]:
    """Return the files below `root` that give the daemon privilege and were written by us."""
    candidates = [*sorted(_below(root, POLICIES).glob("*.toml")), _below(root, POLKIT)]
    fixed = [HELPER, UNITS / SOCKET, UNITS / HELPER_SERVICE]
    found = [Path("/") / path.relative_to(root) for path in candidates if _is_ours(path)]
    return [*found, *(path for path in fixed if _below(root, path).exists())]


def service_files() -> list[Path]:
    """Return the files of the daemon itself."""
    return [file.path for file in _service()]


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _is_ours(path: Path) -> bool:
    try:
        head = path.read_text(errors="replace")[:200]
    except OSError:
        return False
    return head.startswith((MARK, polkit.MARK))


def _service() -> list[File]:
    programs = (SERVICE, DRILL)
    return [
        *(File(path=UNITS / name, content=_shipped(name).replace(_VENV, sys.prefix.encode())) for name in programs),
        File(path=UNITS / DRILL_TIMER, content=_shipped(DRILL_TIMER)),
        File(path=Path("/etc/sysusers.d/paramedic.conf"), content=_shipped("sysusers.d/paramedic.conf")),
        File(path=Path("/etc/tmpfiles.d/paramedic.conf"), content=_shipped("tmpfiles.d/paramedic.conf")),
    ]


def _helper() -> list[File]:
    return [
        File(path=HELPER, content=bundle()),
        *(File(path=UNITS / name, content=_shipped(name)) for name in (SOCKET, HELPER_SERVICE)),
    ]


def _polkit(config: Config, root: Path) -> File:
    """Return the rules for the listed units that this host has; none can be looked up on another root."""
    installed = units.installed(listed_units(config)) if root == Path("/") else {}
    return File(path=POLKIT, content=polkit.rules(installed.values(), USER).encode())


def _shipped(name: str) -> bytes:
    """Return a file that came with us: beside the packages in the source tree, inside them in the wheel."""
    package = Path(__file__).parents[1]
    wheel = package / "share/systemd" / name
    return (wheel if wheel.exists() else package.parent / "systemd" / name).read_bytes()
