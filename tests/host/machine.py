"""A real systemd host in systemd-nspawn: Debian at its smallest, on a throw-away root, in a cgroup of its own.

It shares the network of the machine it runs on, so that both reach each other's loopback ports.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.services.service import clean_environment, eventually, need

CACHE = Path(os.environ.get("PARAMEDIC_TEST_CACHE", "/var/cache/paramedic-test"))
SUITE = os.environ.get("HOST_SUITE", "bookworm")
"""What the hosts are, where a test does not want a certain one."""
PACKAGES = ("systemd", "systemd-sysv", "dbus", "python3", "polkitd", "procps", "iproute2")
PROCESSES = 800
"""A fork bomb in the host stays in the host."""
BOOT_SECONDS = 60.0
STOP_SECONDS = 60.0
_CGROUPS = Path("/sys/fs/cgroup")
_RESTARTS = 133
"""What systemd-nspawn ends with when the host wants to be booted again."""
_POWER_OFF = signal.SIGRTMIN + 4
_SPACES = ("--mount", "--uts", "--ipc", "--pid", "--cgroup", "--root", "--wd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A booted host. `leader` is its PID 1 as seen from here."""

    root: Path
    leader: int
    starter: int
    """The process that boots it, and boots it again when it restarts."""

    def restarted(self) -> "Machine":
        """Return the host once it has restarted and is up again."""
        leader = eventually(
            lambda: (found := _leader(self.starter)) not in {0, self.leader} and found, BOOT_SECONDS, "it has restarted"
        )
        again = replace(self, leader=leader)
        eventually(lambda: _is_up(again), BOOT_SECONDS, "it is up again")
        return again

    def run(self, *argv: str, check: bool = True, timeout: float = 60.0) -> str:
        """Run a program in the host as root; return what it says on both outputs. Fail the test if it fails."""
        done = self.outcome(*argv, timeout=timeout)
        if check and done.returncode:
            pytest.fail(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def outcome(self, *argv: str, timeout: float = 60.0) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ("nsenter", f"--target={self.leader}", *_SPACES, "--", *argv),
            env=clean_environment({}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )

    def python(self) -> str:
        """Return the version of the host's own Python, as 3.11."""
        return self.run("python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()

    def json(self, *argv: str):
        return json.loads(self.run(*argv))

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of the host's; the folder is made."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def read(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text()

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.run("systemctl", "show", f"--property={name}", "--value", "--", unit).strip()

    def journal(self, unit: str) -> str:
        return self.run("journalctl", "--no-pager", "--output=cat", f"--unit={unit}")


@contextmanager
def booted(suite: str = SUITE) -> Iterator[Machine]:
    """Boot a fresh host; nothing of it is left afterwards. Skip where that cannot be done."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to boot a systemd host")
    nspawn = need("systemd-nspawn", "systemd-container")
    base = _base(suite)
    name = f"paramedic-{suite}-{os.getpid()}-{secrets.token_hex(2)}"
    with ExitStack() as stack:
        root = stack.enter_context(_throw_away_root(base))
        groups = stack.enter_context(_bounded_cgroups(name))
        (root / "etc/hostname").write_text("patient\n")
        console = root.parent / "console"
        process = _start(nspawn, root, name, groups, console)
        stack.callback(_stop, process)
        leader = eventually(lambda: _leader(process.pid), 60.0, lambda: console.read_text(errors="replace"))
        machine = Machine(root=root, leader=leader, starter=process.pid)
        eventually(lambda: _is_up(machine), BOOT_SECONDS, lambda: console.read_text(errors="replace"))
        _let_limits_bite(machine)
        yield machine


def _let_limits_bite(machine: Machine) -> None:
    """Let the host's systemd limit processes where cgroups are still of version 1, and see that it does.

    What it must never do is hang the machine: the bound on the whole host stands outside of it.
    """
    if Path(f"/proc/{machine.leader}/root/sys/fs/cgroup/pids").is_dir():
        machine.run("mount", "-o", "remount,rw,bind", "/sys/fs/cgroup/pids")
        machine.run("systemctl", "daemon-reexec")  # it looked while they were read-only
        eventually(lambda: _is_up(machine), BOOT_SECONDS, "the host is up again")


def _base(suite: str) -> Path:
    """Return the unpacked system, made and kept when it is not there yet (half a minute, or more)."""
    CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
    unpacked, tarball = CACHE / f"{suite}.root", CACHE / f"{suite}.tar.zst"
    if not unpacked.exists():
        need("zstd", "zstd")
        if not tarball.exists():
            if suite != SUITE and "CRASH_POINTS" not in os.environ:
                pytest.skip(f"needs {tarball}, which `make soak` makes")
            _build(suite, need("mmdebstrap", "mmdebstrap"), tarball)
        with made_whole(unpacked) as fresh:
            fresh.mkdir(mode=0o755)
            _do("tar", "--extract", "--zstd", f"--file={tarball}", f"--directory={fresh}")
    return unpacked


def _build(suite: str, mmdebstrap: str, tarball: Path) -> None:
    with made_whole(tarball) as fresh:
        packages = f"--include={','.join(PACKAGES)}"
        _do(mmdebstrap, "--quiet", "--variant=minbase", packages, suite, str(fresh))


@contextmanager
def made_whole(target: Path) -> Iterator[Path]:
    """Give a place to make something in; it appears as `target` only when it is complete."""
    folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=".making-"))
    try:
        yield folder / target.name
        (folder / target.name).rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _throw_away_root(base: Path) -> Iterator[Path]:
    """Lay a file system in memory over the base; what the host writes is gone with it."""
    folder = Path(tempfile.mkdtemp(prefix="paramedic-host-", dir="/tmp"))
    with ExitStack() as stack:
        stack.callback(folder.rmdir)
        memory = ("mount", "-t", "tmpfs", "-o", "size=1g,mode=755", "paramedic-host", str(folder))
        if subprocess.run(memory, check=False, capture_output=True, timeout=60).returncode:
            pytest.skip("needs the right to mount, to boot a systemd host")
        stack.callback(_do, "umount", "--lazy", str(folder))
        for part in ("upper", "work", "root"):
            (folder / part).mkdir(mode=0o755)
        layers = f"lowerdir={base},upperdir={folder}/upper,workdir={folder}/work"
        _do("mount", "-t", "overlay", "-o", layers, "paramedic-host", str(folder / "root"))
        stack.callback(_do, "umount", "--lazy", str(folder / "root"))
        yield folder / "root"


@contextmanager
def _bounded_cgroups(name: str) -> Iterator[list[Path]]:
    """Make a cgroup of its own in every hierarchy; without a bound on processes nothing is booted."""
    hierarchies = [_CGROUPS] if (_CGROUPS / "cgroup.controllers").exists() else sorted(_CGROUPS.glob("*/"))
    # Memory is left to whoever runs us; the rest of cgroup v1 must not be shared with the machine's own services.
    wanted = [each for each in hierarchies if each.name in {"cgroup", "pids", "cpu", "cpuacct", "systemd", "unified"}]
    groups = [each / name for each in wanted]
    try:
        for group in groups:
            group.mkdir(exist_ok=True)
        bounds = [group / "pids.max" for group in groups if (group / "pids.max").exists()]
        if not bounds:
            pytest.skip("needs the pids cgroup controller, to bound what the host may start")
        for bound in bounds:
            bound.write_text(str(PROCESSES))
        yield groups
    except PermissionError as error:
        pytest.skip(f"needs cgroups that can be made: {error}")
    finally:
        for group in groups:
            _remove(group)


def _remove(group: Path) -> None:
    """Remove a cgroup with everything below it. One that is still in use stays and hurts nobody."""
    with suppress(OSError):
        for folder in sorted(group.rglob("*/"), key=lambda path: -len(path.parts)):
            folder.rmdir()
        group.rmdir()


def _start(nspawn: str, root: Path, name: str, groups: list[Path], console: Path) -> "subprocess.Popen[bytes]":
    enter = "".join(f"echo $$ > {group}/cgroup.procs; " for group in groups)
    options = ("--register=no", "--keep-unit", "--link-journal=no", "--settings=no", "--console=pipe")
    argv = (nspawn, "--quiet", f"--directory={root}", f"--machine={name}", *options, "--boot")
    with console.open("wb") as output:
        return subprocess.Popen(
            ("/bin/sh", "-c", f'{enter}while "$@"; [ $? = {_RESTARTS} ]; do :; done', "sh", *argv),
            env=clean_environment({}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _leader(pid: int) -> int:
    """Return the child, or its child, that is PID 1 inside; 0 while there is none."""
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            lines = Path(f"/proc/{child}/status").read_text().splitlines()
            if any(line.startswith("NSpid:") and line.split()[1:][-1] == "1" for line in lines):
                return int(child)
            if found := _leader(int(child)):
                return found
    return 0


def _is_up(machine: Machine) -> bool:
    return machine.outcome("systemctl", "is-system-running").stdout.strip() in {"running", "degraded"}


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Power the host off; by force when that takes too long."""
    leader = _leader(process.pid)
    for number in (_POWER_OFF, signal.SIGKILL):
        if leader:
            with suppress(ProcessLookupError):
                os.kill(leader, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            return
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOP_SECONDS)


def _do(*argv: str) -> None:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.fail(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stderr[-4000:]}")
