"""The first process of a run's unit: starts the argv that stands in its input and keeps the ends of what that prints.

Its input and output are files that systemd opened for it as root; the program it starts gets neither of them.
"""

# Not signal itself, which brings enum: a quarter of this process's start.
import _signal as signal  # type: ignore[import-not-found]
import os
import resource
import select
import time

from remediations.output import CappedOutput

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_MOST_ARGV = 512 * 1024
_MOST_OUTPUT = 1024 * 1024
_CHUNK = 64 * 1024
_SAVE_SECONDS = 1.0
_NOT_FOUND = 127


def main(run_id: str) -> None:
    """Run it, and end as it ended."""
    words = os.read(0, _MOST_ARGV).decode("ascii").split("\0")
    stopped, stop = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(stop, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    output = CappedOutput()
    try:
        pid, pipe = _start(words, run_id)
    except OSError as error:
        output.feed(f"cannot start {words[0]}: {error.strerror}\n".encode())
        _save(output)
        os._exit(_NOT_FOUND)
    # What the program can do to this process must not fill the disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_OUTPUT, _MOST_OUTPUT))
    _follow(pid, pipe, stopped, output)
    _, status = os.waitpid(pid, 0)
    _save(output)
    _end_as(status)


def _start(words: list[str], run_id: str) -> tuple[int, int]:
    """Start the program; return its pid and the pipe that it prints into."""
    pipe, end = os.pipe2(os.O_CLOEXEC)
    pid = os.posix_spawn(
        words[0],
        words,
        {**ENVIRONMENT, "HOME": os.environ.get("HOME", "/"), "PARAMEDIC_RUN": run_id},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, end, 1),
            (os.POSIX_SPAWN_DUP2, end, 2),
        ],
        setsigdef=[signal.SIGTERM, signal.SIGPIPE],
    )
    os.close(end)
    os.set_blocking(pipe, False)
    return pid, pipe


def _follow(pid: int, pipe: int, stopped: int, output: CappedOutput) -> None:
    """Take what is printed until the program ends. What it leaves behind is systemd's to end, and is not waited for."""
    ended = os.pidfd_open(pid)
    poll = select.poll()
    for descriptor in (pipe, ended, stopped):
        poll.register(descriptor, select.POLLIN)
    saved = time.monotonic()
    unsaved = False
    while True:
        ready = {descriptor for descriptor, _ in poll.poll(_SAVE_SECONDS * 1000)}
        if pipe in ready:
            unsaved = True
            if _take(pipe, output) == 0:
                poll.unregister(pipe)
        # At TERM too: KILL may follow, and what was printed until then must be there.
        if unsaved and (stopped in ready or time.monotonic() - saved > _SAVE_SECONDS):
            _save(output)
            saved, unsaved = time.monotonic(), False
        if stopped in ready:
            os.read(stopped, _CHUNK)
        if ended in ready:
            break
    for _ in range(_MOST_OUTPUT // _CHUNK):
        if _take(pipe, output) <= 0:
            break


def _take(pipe: int, output: CappedOutput) -> int:
    """Take what the pipe holds; return how much, 0 at its end, -1 when it is only empty."""
    try:
        chunk = os.read(pipe, _CHUNK)
    except BlockingIOError:
        return -1
    output.feed(chunk)
    return len(chunk)


def _save(output: CappedOutput) -> None:
    """Write what is kept; it never becomes longer than what a file may hold."""
    text = output.text().encode("utf-8", "backslashreplace")[:_MOST_OUTPUT]
    os.ftruncate(1, 0)
    os.pwrite(1, text, 0)


def _end_as(status: int) -> None:
    """End as the program did, so that systemd's verdict is the program's."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
