"""Starting a run as a transient unit of systemd, with a sandbox that its policy makes; and asking whether it lives."""

from __future__ import annotations

from remediations.exec_helper import bus
from remediations.exec_helper.policy import Policy
from remediations.exec_helper.records import ARGV, MOST_OUTPUT, OUTPUT, PRINTED, Records
from remediations.exec_helper.run import ENVIRONMENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Property = tuple[str, tuple[str, Any]]
    """Its name, and the signature and value of what it is set to."""

PYTHON = "/usr/bin/python3"
STOP_MILLISECONDS = 1500
"""Between TERM and KILL for whatever is left of a run that is over its time."""
_PROGRAM = "import sys; sys.path.insert(0, {!r}); from remediations.exec_helper import main; main.main(sys.argv[1:])"
"""By -c: to run an archive as a program, Python loads half as much again as it needs for itself."""
_TMP = ("/tmp", "/var/tmp")  # noqa: S108
_ALIVE = frozenset({"active", "activating", "deactivating", "reloading"})
_MIB = 1024 * 1024

# Clock, host name, kernel log, modules and real-time scheduling are out of reach without their capabilities, which no
# run has unless its policy says so: the options that protect them too would cost each run a good part of its start.
_ALWAYS: tuple[Property, ...] = (
    ("Type", ("s", "exec")),
    ("KillMode", ("s", "control-group")),
    ("TimeoutStopUSec", ("t", STOP_MILLISECONDS * 1000)),
    ("CollectMode", ("s", "inactive-or-failed")),
    ("OOMPolicy", ("s", "kill")),
    ("LimitCORE", ("t", 0)),
    ("UMask", ("u", 0o022)),
    ("WorkingDirectory", ("s", "/")),
    ("SyslogIdentifier", ("s", "paramedic-run")),
    ("KeyringMode", ("s", "private")),
    ("NoNewPrivileges", ("b", True)),
    ("ProtectSystem", ("s", "strict")),
    ("PrivateDevices", ("b", True)),
    # What ProtectKernelTunables= and ProtectControlGroups= are for, in two mounts instead of thirty.
    ("ReadOnlyPaths", ("as", ("/proc", "/sys"))),
    ("RestrictNamespaces", ("t", 0)),
    ("RestrictSUIDSGID", ("b", True)),
    ("LockPersonality", ("b", True)),
    ("SystemCallArchitectures", ("as", ("native",))),
    ("SystemCallFilter", ("(bas)", (True, ("@system-service",)))),
    ("AmbientCapabilities", ("t", 0)),
    ("MemorySwapMax", ("t", 0)),
)

# In the kernel's order: its number is its place.
_CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
)


class StartError(Exception):
    """Systemd did not take the run; the message says why."""


class Systemd:
    """`archive` is this helper as a file: the runs are started through it."""

    def __init__(self, archive: str) -> None:
        self._program = (PYTHON, "-I", "-S", "-c", _PROGRAM.format(archive))

    def start(self, run_id: str, policy: Policy, timeout_seconds: float, records: Records) -> None:
        """Hand the run over to systemd."""
        begin = self._brief if policy.brief else self._kept
        try:
            settings = (
                *_ALWAYS,
                *sandbox(policy),
                *self._run(run_id, timeout_seconds, records),
                *begin(run_id, records),
            )
            bus.call("StartTransientUnit", "ssa(sv)a(sa(sv))", unit(run_id), "fail", settings, ())
        except bus.BusError as error:
            raise StartError(str(error)[:500]) from error

    def _run(self, run_id: str, timeout_seconds: float, records: Records) -> Iterator[Property]:
        """Yield what differs from run to run."""
        yield "Description", ("s", f"paramedic: run {run_id}")
        yield "RuntimeMaxUSec", ("t", round(timeout_seconds * 1_000_000))
        # As root and outside of the sandbox, so that there is a verdict however the run ends.
        last = (*self._program, "verdict", records.path(run_id))
        yield "ExecStopPostEx", ("a(sasas)", ((PYTHON, last, ("privileged",)),))

    def _kept(self, run_id: str, records: Records) -> Iterator[Property]:
        """Yield what starts any program: through our own first process, which keeps the ends of what it prints.

        The words of its argv travel in a file: only what root wrote is in the call, and the run id.
        """
        yield "StandardInputFile", ("s", records.path(run_id, ARGV))
        yield "StandardOutputFileToAppend", ("s", records.path(run_id, OUTPUT))
        yield "StandardError", ("s", "journal")
        yield "ExecStart", ("a(sasb)", ((PYTHON, (*self._program, "run", run_id), False),))

    def _brief(self, run_id: str, records: Records) -> Iterator[Property]:
        """Yield what starts a program that prints little: it is the first process, its words are not to be expanded."""
        argv = records.argv(run_id)
        yield "ExecStartEx", ("a(sasas)", ((argv[0], argv, ("no-env-expand",)),))
        yield (
            "Environment",
            ("as", (*(f"{name}={value}" for name, value in ENVIRONMENT.items()), f"PARAMEDIC_RUN={run_id}")),
        )
        yield "StandardOutputFileToAppend", ("s", records.path(run_id, PRINTED))
        yield "StandardErrorFileToAppend", ("s", records.path(run_id, PRINTED))
        yield "LimitFSIZE", ("t", MOST_OUTPUT)
        yield "IgnoreSIGPIPE", ("b", False)

    def lives(self, run_id: str) -> bool:
        """Tell whether systemd still has the run in hand. True when it cannot be asked: nothing is concluded blind."""
        try:
            found = bus.call("ListUnitsByNames", "as", (unit(run_id),))
        except bus.BusError:
            return True
        _name, _description, _loaded, state = bus.strings(found, 8, 4)
        return state in _ALIVE


def unit(run_id: str) -> str:
    return f"paramedic-run-{run_id}.service"


def sandbox(policy: Policy) -> Iterator[Property]:
    """Yield the properties that differ from policy to policy. Raise StartError for a capability that there is not."""
    private_tmp = policy.user != "root" or policy.writable != ()
    families = ("AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK") if policy.network else ("AF_UNIX",)
    yield ("User", ("s", policy.user)) if policy.user else ("DynamicUser", ("b", True))
    yield "CapabilityBoundingSet", ("t", _mask(policy.capabilities))
    yield "ReadWritePaths", ("as", tuple(f"-{path}" for path in policy.writable))
    yield "PrivateTmp", ("b", private_tmp and not _touches(policy.writable, *_TMP))
    yield "ProtectHome", ("s", "read-only" if _touches(policy.writable, "/home", "/root") else "tmpfs")
    yield "RestrictAddressFamilies", ("(bas)", (True, families))
    yield "TasksMax", ("t", policy.tasks)
    yield "MemoryMax", ("t", policy.memory_mib * _MIB)


def _mask(names: tuple[str, ...]) -> int:
    unknown = set(names).difference(_CAPABILITIES)
    if unknown:
        raise StartError(f"there is no such capability: {', '.join(sorted(unknown))}")
    return sum(1 << _CAPABILITIES.index(name) for name in set(names))


def _touches(paths: tuple[str, ...], *folders: str) -> bool:
    return any(f"{path}/".startswith(f"{folder}/") for path in paths for folder in folders)
