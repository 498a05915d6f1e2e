"""Starting a run as a transient unit of systemd, with a sandbox that its policy makes; and asking whether it lives."""

import subprocess

from remediations.exec_helper.policy import Policy
from remediations.exec_helper.records import ARGV, OUTPUT, Records

PYTHON = "/usr/bin/python3"
SYSTEMD_RUN, SYSTEMCTL = "/usr/bin/systemd-run", "/usr/bin/systemctl"
STOP_MILLISECONDS = 1500
"""Between TERM and KILL for whatever is left of a run that is over its time."""
_SECONDS = 10.0
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_TMP = ("/tmp", "/var/tmp")  # noqa: S108
_ALIVE = frozenset({"active", "activating", "deactivating", "reloading"})

# Clock, host name, kernel log, modules and real-time scheduling are out of reach without their capabilities, which no
# run has unless its policy says so: the options that protect them too would cost each run a good part of its start.
_ALWAYS = (
    "Type=exec",
    "KillMode=control-group",
    f"TimeoutStopSec={STOP_MILLISECONDS}ms",
    "CollectMode=inactive-or-failed",
    "OOMPolicy=kill",
    "LimitCORE=0",
    "UMask=0022",
    "WorkingDirectory=/",
    "StandardError=journal",
    "SyslogIdentifier=paramedic-run",
    "KeyringMode=private",
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "PrivateDevices=yes",
    # What ProtectKernelTunables= and ProtectControlGroups= are for, in two mounts instead of thirty.
    "ReadOnlyPaths=/proc /sys",
    "RestrictNamespaces=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "AmbientCapabilities=",
)


class StartError(Exception):
    """Systemd did not take the run; the message says why."""


class Systemd:
    """`program` is this helper as a file: the runs are started through it."""

    def __init__(self, program: str) -> None:
        self._program = program

    def start(self, run_id: str, policy: Policy, timeout_seconds: float, records: Records) -> None:
        """Hand the run over to systemd. The words of its argv travel in a file: nothing expands them on the way."""
        argv = self.argv(run_id, policy, timeout_seconds, records)
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                env=_ENVIRONMENT,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise StartError(f"systemd-run: {error}") from error
        if done.returncode:
            raise StartError(done.stderr.decode(errors="replace").strip()[:500])

    def argv(self, run_id: str, policy: Policy, timeout_seconds: float, records: Records) -> list[str]:
        """Return the call of systemd-run. Only what root wrote is in it, and the run id."""
        ours = f"{PYTHON} -I -S {self._program}"
        properties = (
            *_ALWAYS,
            *sandbox(policy),
            f"RuntimeMaxSec={round(timeout_seconds * 1000)}ms",
            f"StandardInput=file:{records.path(run_id, ARGV)}",
            f"StandardOutput=append:{records.path(run_id, OUTPUT)}",
            # "+": as root and outside of the sandbox, so that there is a verdict however the run ends.
            f"ExecStopPost=+{ours} verdict {records.path(run_id)}",
        )
        return [
            SYSTEMD_RUN,
            "--quiet",
            "--no-block",
            "--no-ask-password",
            f"--unit={unit(run_id)}",
            *(f"--property={each}" for each in properties),
            "--",
            *f"{ours} run {run_id}".split(),
        ]

    def lives(self, run_id: str) -> bool:
        """Tell whether systemd still has the run in hand. True when it cannot be asked: nothing is concluded blind."""
        argv = (SYSTEMCTL, "show", "--property=ActiveState", "--value", "--", unit(run_id))
        try:
            done = subprocess.run(argv, capture_output=True, timeout=_SECONDS, env=_ENVIRONMENT, check=True)
        except (OSError, subprocess.SubprocessError):
            return True
        return done.stdout.decode().strip() in _ALIVE


def unit(run_id: str) -> str:
    return f"paramedic-run-{run_id}.service"


def sandbox(policy: Policy) -> tuple[str, ...]:
    """Return the properties that differ from policy to policy."""
    private_tmp = policy.user != "root" or policy.writable != ()
    families = "AF_UNIX AF_INET AF_INET6 AF_NETLINK" if policy.network else "AF_UNIX"
    return (
        f"User={policy.user}" if policy.user else "DynamicUser=yes",
        f"CapabilityBoundingSet={' '.join(policy.capabilities)}",
        f"ReadWritePaths={' '.join(f'-{path}' for path in policy.writable)}",
        f"PrivateTmp={_yes(whether=private_tmp and not _touches(policy.writable, *_TMP))}",
        f"ProtectHome={'read-only' if _touches(policy.writable, '/home', '/root') else 'yes'}",
        f"RestrictAddressFamilies={families}",
        f"TasksMax={policy.tasks}",
        f"MemoryMax={policy.memory_mib}M",
        "MemorySwapMax=0",
    )


def _touches(paths: tuple[str, ...], *folders: str) -> bool:
    return any(f"{path}/".startswith(f"{folder}/") for path in paths for folder in folders)


def _yes(*, whether: bool) -> str:
    return "yes" if whether else "no"
