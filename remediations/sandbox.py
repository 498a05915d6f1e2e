"""Which actions may run where: not every place paramedic runs in is a host it may act on."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from remediations.spec import ActionSpec


class Forbidden(StrEnum):
    """Why an action cannot run here."""

    NEEDS_HELPER = "needs_helper"
    CONTAINER = "container"
    FOREIGN_PROCFS = "foreign_procfs"
    NO_SYSTEMD = "no_systemd"
    LEAVES_PROCESS = "leaves_process"


EXPLANATIONS: Mapping[Forbidden, str] = {
    Forbidden.NEEDS_HELPER: "needs_helper: without it a service runs unit verbs only; see `paramedic install`",
    Forbidden.CONTAINER: "in a container: the host's services and processes are out of reach",
    Forbidden.FOREIGN_PROCFS: "procfs is not /proc: what is watched is another host than the one to act on",
    Forbidden.NO_SYSTEMD: "systemd does not run here",
    Forbidden.LEAVES_PROCESS: "a run ends with all that it started: make the service a unit and restart that",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostEnvironment:
    """Where the daemon runs, and what the operator allows there."""

    service: bool = False
    """systemd started the daemon."""
    direct: bool = False
    """The operator lets the service run every action as its own user."""
    container: bool = False
    own_procfs: bool = True
    systemd: bool = True
    helper: bool = False
    """The root helper can be asked."""


def detect(
    environ: Mapping[str, str],
    procfs: Path,
    *,
    direct: bool = False,
    helper: Path | None = None,
    root: Path = Path("/"),
) -> HostEnvironment:
    """Look at where we are; before sd_notify has removed its variables from `environ`.

    A container that has booted a systemd of its own is a host: its units are ours to restart.
    """
    systemd = (root / "run/systemd/system").is_dir()
    marked = "container" in environ or any((root / mark).exists() for mark in (".dockerenv", "run/.containerenv"))
    service = _is_service(environ)
    return HostEnvironment(
        service=service,
        direct=direct,
        container=marked and not systemd,
        own_procfs=procfs == Path("/proc"),
        systemd=systemd,
        helper=service and helper is not None and os.access(helper, os.W_OK),
    )


def refusal_reason(action: ActionSpec, environment: HostEnvironment) -> Forbidden | None:
    """Return why the action cannot run here, None if it can; `EXPLANATIONS` has the sentence."""
    if action.host and environment.container:
        return Forbidden.CONTAINER
    if action.host and not environment.own_procfs:
        return Forbidden.FOREIGN_PROCFS
    if action.unit_verb and not environment.systemd:
        return Forbidden.NO_SYSTEMD
    if environment.service and not environment.direct:
        return _without_privilege(action, environment)
    return None


def _without_privilege(action: ActionSpec, environment: HostEnvironment) -> Forbidden | None:
    """Return why a service that can do nothing itself cannot have it done either."""
    if not environment.helper:
        return None if action.unit_verb else Forbidden.NEEDS_HELPER
    return Forbidden.LEAVES_PROCESS if action.leaves_process else None


def _is_service(environ: Mapping[str, str]) -> bool:
    """Tell a service from a shell below one: both inherit INVOCATION_ID, but systemd names the process it started."""
    return "NOTIFY_SOCKET" in environ or environ.get("SYSTEMD_EXEC_PID") == str(os.getpid())
