"""A small set of plugins, so that tests do not depend on what is shipped."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.config.load import load
from agent.config.problems import ConfigError
from agent.config.registries import Registries
from agent.tickets.spec import AdapterSpec
from collectors.spec import CollectorSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    name: str
    port: int = 80
    timeout_seconds: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOptions:
    procfs: Path = Path("/proc")
    targets: tuple[Target, ...] = ()
    stale_after_seconds: float = 90.0
    folder: Path = Path("/srv")
    exclude: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowOptions:
    timeout_seconds: float = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskOptions:
    url: str
    password_file: Path | None = None
    headers: Mapping[str, str] | None = None
    timeout_seconds: float = 10.0

    def __post_init__(self):
        if not self.url.startswith("http"):
            raise ValueError("url must begin with http")


def _collector(name, options, *, enabled=True):
    return CollectorSpec(name=name, options=options, collect=lambda _: (), metrics=(), enabled=enabled)


def registries(**actions):
    """Return the registries of this page, with these actions."""
    return Registries(
        collectors={
            "probe": _collector("probe", ProbeOptions),
            "quiet": _collector("quiet", ProbeOptions, enabled=False),
            "slow": _collector("slow", SlowOptions),
        },
        actions=actions,
        adapters={"desk": AdapterSpec(name="desk", options=DeskOptions, open=lambda *_: None)},
    )


def loaded(folder, text, environ=None, **actions):
    """Return the configuration of a file with this text."""
    path = folder / "paramedic.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load(path, environ or {}, registries(**actions))


def problems(folder, text, environ=None, **actions):
    """Return the problems of a file with this text as (path, message)."""
    try:
        loaded(folder, text, environ, **actions)
    except ConfigError as error:
        return {problem.path: problem.message for problem in error.problems}
    return {}
