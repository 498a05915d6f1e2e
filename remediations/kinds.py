"""The kinds of parameters: what an action may be told, as patterns that are matched whole."""

import re
from collections.abc import Callable
from dataclasses import dataclass

_PATH = r"(?:/[A-Za-z0-9._@%+=:,~-]+)+"
_HOST_CONTROL = re.compile(
    r"systemd-(?:reboot|poweroff|halt|kexec|exit|soft-reboot|suspend|hibernate|hybrid-sleep|suspend-then-hibernate)"
    r"\.service"
)
_SECONDS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a parameter may be. `says` completes "must be …"; `convert` makes the value of matched text or words."""

    says: str
    pattern: str = ""
    templates: bool = False
    """True where `{{ $labels.name }}` and `{{ $value }}` may stand."""
    options: bool = False
    """True where literal text may begin with "-"."""
    convert: Callable[[str], object] = str
    """Raises ValueError with what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListKind:
    """A list of `each`; with `first`, it begins with one of those."""

    says: str
    each: Kind
    first: Kind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagKind:
    """True or false."""

    says: str = "true or false"


def _unit(text: str) -> str:
    if len(text) > 255:  # noqa: PLR2004 - systemd's limit
        raise ValueError("is longer than 255 characters")
    if _HOST_CONTROL.fullmatch(text):
        raise ValueError("would stop the host")
    return text


def _path(text: str) -> str:
    if any(part in {".", ".."} for part in text.split("/")):
        raise ValueError('holds "." or ".." as a part')
    return text


def _size(text: str) -> int:
    number, unit = text.rstrip("KMGTiB"), text.lstrip("0123456789")
    base = 1024 if "i" in unit else 1000
    return int(int(number) * base ** "BKMGT".index(unit[0]))


def _duration(text: str) -> float:
    seconds = sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"([0-9]+)([wdhms])", text))
    if not seconds:
        raise ValueError("must be longer than 0")
    return seconds


UNIT = Kind(
    says='a unit such as "nginx.service"',
    # No target, slice or scope: restarting one moves half the host. No "name@.service": that is no unit.
    pattern=r"[A-Za-z0-9:_.@\\-]*[A-Za-z0-9:_.\\-]\.(?:service|socket|timer|mount|automount|swap|path)",
    templates=True,
    convert=_unit,
)
PATH = Kind(says='an absolute path such as "/var/log"', pattern=_PATH, templates=True, convert=_path)
SCRIPT = Kind(says='the bare name of a script such as "rotate-cache.sh"', pattern=r"[A-Za-z0-9][A-Za-z0-9._-]*")
NAME = Kind(says='a name such as "web"', pattern=r"[A-Za-z0-9_/][A-Za-z0-9._:@/-]*", templates=True, convert=_path)
PROCESS = Kind(
    says="a process name (the kernel keeps 15 characters) or the absolute path of its program",
    pattern=rf"[A-Za-z0-9_][A-Za-z0-9._:+@-]{{0,14}}|{_PATH}",
    templates=True,
    convert=_path,
)
SIZE = Kind(says='a size such as "500MiB"', pattern=r"[1-9][0-9]{0,11}(?:[KMGT]i?B|B)", convert=_size)
DURATION = Kind(
    says='a duration such as "30s" or "1d12h"',
    pattern=r"(?=[0-9])(?:[0-9]{1,9}w)?(?:[0-9]{1,9}d)?(?:[0-9]{1,9}h)?(?:[0-9]{1,9}m)?(?:[0-9]{1,9}s)?",
    convert=_duration,
)
GLOB = Kind(
    says='a file name pattern such as "*.log" that holds a letter or digit',
    pattern=r"[A-Za-z0-9._*?\[\]+@=-]*[A-Za-z0-9][A-Za-z0-9._*?\[\]+@=-]*",
)
GLOBS = ListKind(says='a list of file name patterns such as ["*.log"]', each=GLOB, first=GLOB)
WORD = Kind(says="a word", pattern=r"[\x20-\x7e]+", templates=True, options=True)
WORDS = ListKind(says="a list of words", each=WORD)
PROGRAM = Kind(says="the absolute path of a program, without a template", pattern=_PATH, convert=_path)
ARGV = ListKind(says="a list of words that begins with the absolute path of a program", each=WORD, first=PROGRAM)
COMMAND = ListKind(
    says="a list of words that begins with a program",
    each=WORD,
    first=Kind(
        says="the name or the absolute path of a program, without a template",
        pattern=rf"[A-Za-z0-9_][A-Za-z0-9._+-]*|{_PATH}",
        convert=_path,
    ),
)
CONTAINER = Kind(
    says='a container\'s name or id such as "web"', pattern=r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", templates=True
)
URL = Kind(says='an address such as "http://127.0.0.1:8080/restart", without a template', pattern=r"https?://[!-~]+")
METHOD = Kind(says="GET, POST, PUT or DELETE", pattern="GET|POST|PUT|DELETE")
ENGINE = Kind(says='"docker" or "podman"', pattern="docker|podman")
NICENESS = Kind(says="a niceness from 1 (a little) to 19 (only when nobody else wants to)", pattern="[1-9]|1[0-9]")
IO_CLASS = Kind(says='"best-effort" or "idle"', pattern="best-effort|idle")
PERCENT = Kind(says='a share such as "40%"', pattern="(?:[1-9]|[1-9][0-9])%")
TIMER = Kind(
    says='a timer such as "backup.timer"',
    pattern=r"[A-Za-z0-9:_.@\\-]*[A-Za-z0-9:_.\\-]\.timer",
    templates=True,
    convert=_unit,
)
FLAG = FlagKind()
