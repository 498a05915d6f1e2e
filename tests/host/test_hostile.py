"""A daemon that has been taken over asks the helper: whatever it asks, only what root allowed happens."""

import base64
import json
import os
import re
import secrets
import subprocess
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.host.helped import ACTIONS, SOCKET, Helped
from tests.services.service import clean_environment

EXAMPLES = 2000 if "CRASH_POINTS" in os.environ else 200
ESCAPED = "/run/escaped"
RELAY = """
import base64, socket, sys
for line in sys.stdin:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(60)
    received = b""
    try:
        client.connect(%r)
        client.sendall(base64.b64decode(line))
        client.shutdown(socket.SHUT_WR)
        while chunk := client.recv(65536):
            received += chunk
    except OSError:
        pass
    client.close()
    print(base64.b64encode(received).decode(), flush=True)
"""
CANARY = f'#!/bin/sh\ncase "$1" in [a-c]*) exit 0;; *) touch {ESCAPED};; esac\n'
POLICY = """
argv = ["/opt/canary.sh", "{word}", "--root=/srv/{app}"]
user = "root"
runs = 1000
host_runs_per_hour = 1000000
writable = ["/run"]
[words]
word = '[a-c]{1,3}'
app = ["web", "db"]
"""
TOUCH = f"touch {ESCAPED}"
EVIL = st.sampled_from(
    [
        "/opt/canary.sh", "canary.sh", "sh", "/bin/sh", "-c", TOUCH, f"$({TOUCH})", f"`{TOUCH}`", f"; {TOUCH}",
        f"a\n{TOUCH}",
        "a", "abc", "abcd", "a ", " a", "a\n", "a\x00", "-a", "--root=/srv/web", "--root=/srv/db", "--root=/srv/../etc",
        "--root=/srv/web/../../etc", "--root=/srv/{app}", "{word}", "--root=", "--root", "systemctl", "restart", "--",
        "--no-ask-password", "web.service", "dbus.service", "--force", "reboot.target", "web.service dbus.service",
        "/usr/bin/systemd-run", "/opt/../opt/canary.sh", "//opt/canary.sh", "./canary.sh", "${PATH}", "%n", "\u202ea",
        "a" * 5000,
    ]
)  # fmt: skip
WORD = st.one_of(EVIL, st.text(max_size=20))
RUN_ID = st.one_of(
    st.builds(lambda: secrets.token_hex(16)),
    st.sampled_from(["0" * 32, "../../../etc", "..", "", "0" * 32 + "\n", "0" * 31 + "G", "/", "0" * 31]),
    st.text(max_size=40),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)),
    max_leaves=8,
)
REQUEST = st.fixed_dictionaries(
    {
        "op": st.one_of(st.sampled_from(["run", "run", "run", "run", "status", "forget", "exec"]), JSON),
        "run": st.one_of(RUN_ID, RUN_ID, JSON),
        "argv": st.one_of(st.lists(WORD, max_size=6), st.tuples(EVIL, EVIL, EVIL).map(list), JSON),
        "timeout": st.one_of(st.just(5), st.floats(), JSON),
    },
    optional={"user": st.just("root"), "policy": st.just("own.toml"), "environment": JSON, "properties": JSON},
)
NEARLY = st.builds(
    lambda word, root: {"op": "run", "run": secrets.token_hex(16), "argv": ["canary.sh", word, root], "timeout": 5},
    st.one_of(st.sampled_from(["a", "b", "abc", "cab"]), WORD),
    st.one_of(st.sampled_from(["--root=/srv/web", "--root=/srv/db"]), WORD),
)
MESSAGE = st.one_of(
    REQUEST.map(lambda request: json.dumps(request).encode() + b"\n"),
    NEARLY.map(lambda request: json.dumps(request).encode() + b"\n"),
    st.binary(max_size=300),
    st.builds(lambda request, cut: json.dumps(request).encode()[:cut] + b"\n", REQUEST, st.integers(0, 200)),
)


@pytest.fixture(scope="module")
def relay(host: Helped):
    """Return what sends bytes to the helper as the daemon's account does, and returns its answer."""
    host.machine.write("/opt/canary.sh", CANARY, 0o755)
    host.allow("canary", POLICY)
    uid = host.uid()
    spaces = ("--mount", "--uts", "--ipc", "--pid", "--cgroup", "--root", "--wd")
    enter = ("nsenter", f"--target={host.machine.leader}", *spaces, "--")
    argv = (
        *enter,
        "setpriv",
        f"--reuid={uid}",
        f"--regid={uid}",
        "--clear-groups",
        "python3",
        "-I",
        "-c",
        RELAY % SOCKET,
    )
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=clean_environment({}), text=True
    ) as process:

        def send(message: bytes) -> bytes:
            process.stdin.write(base64.b64encode(message).decode() + "\n")
            process.stdin.flush()
            return base64.b64decode(process.stdout.readline())

        yield send
        process.stdin.close()
        process.wait(60)
    (host.machine.root / ACTIONS.lstrip("/") / "canary.toml").unlink()


def is_allowed(message: bytes) -> bool:
    """Tell by a reading of our own whether root allows this request: only words of the canary are."""
    try:
        request = json.loads(message.partition(b"\n")[0])
        argv = request["argv"]
        plain = isinstance(argv, list) and all(isinstance(word, str) for word in argv)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
    if request.get("op") != "run" or not plain or not re.fullmatch("[0-9a-f]{32}", str(request.get("run"))):
        return False
    canary = [r"(/opt/)?canary\.sh", "[a-c]{1,3}", "--root=/srv/(web|db)"]
    return len(argv) == 3 and all(re.fullmatch(*pair) for pair in zip(canary, argv, strict=True))


def test_whatever_a_daemon_that_was_taken_over_asks_only_what_root_allowed_happens(
    host: Helped, relay, record_property
):
    counted = {"asked": 0, "started": 0}

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(message=MESSAGE)
    def ask(message):
        received = relay(message)
        answer = json.loads(received)
        counted["asked"] += 1
        if answer["answer"] in {"started", "busy", "duplicate"}:
            assert is_allowed(message), message
            counted["started"] += answer["answer"] == "started"
        else:
            assert answer["answer"] in {"refused", "unknown", "running", "finished", "forgotten"}

    ask()
    assert counted["started"] > 0
    assert host.machine.outcome("test", "-e", ESCAPED).returncode == 1
    assert relay(b'{"op": "status", "run": "00000000000000000000000000000000"}\n') == b'{"answer": "unknown"}\n'
    record_property(
        "hostile requests to the root helper", f"{counted['asked']} asked, {counted['started']} allowed, 0 escapes"
    )


@contextmanager
def spoilt(host: Helped, command: str):
    """Do something to the helper's files for the length of the block."""
    host.machine.run("sh", "-c", f"cp -a {ACTIONS} /opt/canary.sh /root; {command}")
    try:
        yield
    finally:
        host.machine.run("rm", "-rf", ACTIONS, "/opt/canary.sh", "/opt/x.sh", "/etc/second.toml", "/etc/elsewhere")
        host.machine.run("sh", "-c", f"mv /root/actions.d {ACTIONS}; mv /root/canary.sh /opt")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (f"chown paramedic {ACTIONS}/canary.toml", "belongs to user"),
        (f"chmod g+w {ACTIONS}/canary.toml", "chmod go-w"),
        (f"chmod g+w {ACTIONS}", "chmod go-w"),
        (f"chown paramedic {ACTIONS}", "belongs to user"),
        (f"mv {ACTIONS}/canary.toml /etc/x.toml; ln -s /etc/x.toml {ACTIONS}/canary.toml", "is a link"),
        (f"ln {ACTIONS}/canary.toml /etc/second.toml", "one name"),
        (f"mv {ACTIONS} /etc/elsewhere; ln -s /etc/elsewhere {ACTIONS}", "is a link"),
        ("chown paramedic /opt/canary.sh", "belongs to user"),
        ("chmod o+w /opt/canary.sh", "chmod go-w"),
        ("chmod -x /opt/canary.sh", "chmod u+x"),
        (
            "mv /opt/canary.sh /opt/x.sh; ln -s x.sh /opt/canary.sh; chown -h paramedic /opt/canary.sh",
            "belongs to user",
        ),
        ("rm /opt/canary.sh", "No such file"),
        (f"echo 'shell = true' >> {ACTIONS}/canary.toml", "canary.toml"),
    ],
)
def test_what_root_alone_cannot_have_written_allows_nothing(host: Helped, relay, spoil, says):
    request = {"op": "run", "run": secrets.token_hex(16), "argv": ["canary.sh", "a", "--root=/srv/web"], "timeout": 5}
    with spoilt(host, spoil):
        answer = json.loads(relay(json.dumps(request).encode() + b"\n"))
        assert answer["answer"] == "refused"
        assert says in answer["reason"]
    assert json.loads(relay(json.dumps(request).encode() + b"\n"))["answer"] == "started"


def test_while_the_stop_file_exists_the_helper_starts_nothing(host: Helped, relay):
    request = {"op": "run", "run": secrets.token_hex(16), "argv": ["canary.sh", "a", "--root=/srv/web"], "timeout": 5}
    host.machine.run("touch", "/etc/paramedic/stop")
    answer = json.loads(relay(json.dumps(request).encode() + b"\n"))
    host.machine.run("rm", "/etc/paramedic/stop")
    assert answer == {"answer": "refused", "reason": "/etc/paramedic/stop exists"}
