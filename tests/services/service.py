"""One real component under test: a private directory, a program, a deadline for getting ready, a certain end."""

import hashlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

AS_ROOT = os.geteuid() == 0
READY_SECONDS = 60.0
"""Generous: two loaded cores start a Perl server slowly. A healthy one is ready long before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where a started component answers, with whom, and the program behind it (to stop, kill and start again)."""

    url: str
    port: int
    service: "Service"
    user: str = ""
    password: str = ""


@dataclass(slots=True, kw_only=True)
class Service:
    """A program that can be started, stopped, killed and started again in its own directory."""

    argv: tuple[str, ...]
    directory: Path
    ready: Callable[[], bool]
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.directory / "log.txt"

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv,
                cwd=self.directory,
                env=clean_environment(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **demoted(),
            )
        self._await_readiness(self.process)

    def stop(self) -> None:
        """End it politely (SIGTERM), by force after ten seconds."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash does (SIGKILL)."""
        self._end(signal.SIGKILL)

    def tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-60:])

    def _await_readiness(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self.ready():
            if process.poll() is not None:
                pytest.fail(f"{self.argv[0]} ended with {process.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                self.kill()
                pytest.fail(f"{self.argv[0]} is not ready after {READY_SECONDS:g} s:\n{self.tail()}")
            pause()

    def _end(self, number: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        _signal_group(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
        # Its workers share its session; none may outlive the test.
        _signal_group(process.pid, signal.SIGKILL)
        process.wait(60)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


def pause() -> None:
    """Let 50 ms pass between two looks at something that gives no notice of itself."""
    time.sleep(0.05)


def eventually(look: Callable[[], Any], seconds: float = 60.0, what: str | Callable[[], object] = "") -> Any:
    """Look until something is seen, and return it; fail with what is there instead after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"not seen within {seconds:g} s: {what() if callable(what) else what}")
        pause()
    return seen


@contextmanager
def started(service: Service) -> Iterator[Service]:
    """Run the service for the length of the block; show its log if the block fails."""
    try:
        service.start()
        yield service
    except BaseException:
        sys.stderr.write(f"--- log of {service.argv[0]}:\n{service.tail()}\n")
        raise
    finally:
        service.stop()


@contextmanager
def private_directory(name: str) -> Iterator[Path]:
    """A directory that the component's account owns and can reach (pytest's own are closed to all but the tester)."""
    path = Path(tempfile.mkdtemp(prefix=f"paramedic-{name}-", dir="/tmp"))
    hand_over(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def cached(name: str, *inputs: object, make: Callable[[Path], None]) -> Path:
    """Return a folder that `make` has filled, now or in a session before this one with the same inputs."""
    personal = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = (Path("/var/cache") if AS_ROOT else personal) / "paramedic-test"
    folder = home / f"{name}-{hashlib.sha256(repr(inputs).encode()).hexdigest()[:12]}"
    if folder.exists():
        return folder
    home.mkdir(parents=True, exist_ok=True)
    with private_directory(name) as directory:
        make(directory)
        half = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=home))
        shutil.copytree(directory, half, symlinks=True, dirs_exist_ok=True)
        try:
            half.rename(folder)
        except OSError:  # another session was quicker
            shutil.rmtree(half)
    for old in home.glob(f"{name}-*"):
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)
    return folder


def hand_over(*paths: Path) -> None:
    """Give files made by the tester to the account that the component runs as."""
    if AS_ROOT:
        nobody = pwd.getpwnam("nobody")
        for path in paths:
            os.chown(path, nobody.pw_uid, nobody.pw_gid)


def demoted() -> dict[str, object]:
    """What Popen needs to run as nobody: several components refuse root, and none should have it."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": ()} if AS_ROOT else {}


def run_once(argv: tuple[str, ...], directory: Path, environment: dict[str, str] | None = None) -> None:
    """Run a set-up program to its end, as the component's account."""
    done = subprocess.run(
        argv,
        cwd=directory,
        env=clean_environment(environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
        **demoted(),
    )
    if done.returncode:
        pytest.fail(f"{argv[0]} ended with {done.returncode}:\n{done.stdout.decode(errors='replace')[-4000:]}")


def clean_environment(extra: dict[str, str]) -> dict[str, str]:
    """Nothing of the tester's environment but a path: no proxies, no locale, no Python settings."""
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"} | extra


def need(program: str, package: str) -> str:
    """Return the program's path, or skip the test naming the package that has it."""
    path = shutil.which(program, path=clean_environment({})["PATH"])
    if path is None:
        pytest.skip(f"needs the package {package} (tests/services/install)")
    return path


def need_from_pypi(program: str, package: str) -> str:
    """Return the path of a program in the venv that the installer made for this package, or skip the test."""
    personal = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for cache in (Path("/var/cache"), personal):
        path = cache / "paramedic-test" / package / "bin" / program
        if path.exists():
            return str(path)
    pytest.skip(f"needs the PyPI package {package} (tests/services/install)")


def free_port() -> int:
    """A loopback port that nobody listens on now, nor gets while its service is down.

    It lies below those that the kernel gives to clients: one of them could take it, or be connected to itself.
    """
    while True:
        port = 10_000 + secrets.randbelow(20_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def listens(port: int) -> bool:
    """Whether a TCP connection to the loopback port is accepted."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(url: str) -> bool:
    """Whether the URL answers at all with anything but a server error."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
