"""What a run cannot do, on a real host: outlast its time, fill the disk, or reach out of its sandbox."""

import os
import secrets
import time

import pytest

from tests.host.helped import RUNS, Helped
from tests.services.service import eventually

BOMB = "#!/bin/bash\nbomb() { bomb | bomb & }\nbomb\nsleep 60\n"
FLOOD = "#!/bin/sh\necho first\nyes | head -c 10000000000\necho last\n"
HANG = """\
#!/bin/bash
trap "" TERM
(setsid bash -c 'trap "" TERM; while :; do sleep 1; done' > /dev/null 2>&1 &)
echo hanging
while :; do sleep 1; done
"""
TRIES = """\
#!/bin/sh
try() { name=$1; shift; if "$@" > /dev/null 2>&1; then echo "$name: yes"; else echo "$name: no"; fi; }
try id id
try own-tmp touch /tmp/mine
try etc touch /etc/mine
try var touch /var/lib/mine
try allowed touch /srv/allowed/mine
try policy touch /etc/paramedic/actions.d/mine.toml
try records ls /var/lib/paramedic-exec
try state ls /var/lib/paramedic
try home sh -c 'ls -A /root | grep .'
try shadow cat /etc/shadow
try sysctl sh -c 'echo 1 > /proc/sys/kernel/sysrq'
try sysfs sh -c 'echo 0 > /sys/kernel/profiling'
try cgroup mkdir /sys/fs/cgroup/mine
try mount mount -t tmpfs none /mnt
try namespace unshare --user true
try kill kill -0 1
try device sh -c 'exec < /dev/kmsg'
try network python3 -c 'import socket; socket.socket(socket.AF_INET)'
try setuid sh -c 'cp /bin/true /srv/allowed/x && chmod u+s /srv/allowed/x'
try helper python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect("/run/paramedic-exec.sock"); s.send(b"x"); s.recv(1) or exit(1)'
echo "caps: $(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)"
"""  # noqa: E501


@pytest.fixture
def run(host: Helped):
    """Return what puts a script there, allows it and starts it; it says the id."""

    def start(script, policy="", timeout=3.0):
        name = f"script-{secrets.token_hex(4)}"
        host.machine.write(f"/opt/{name}", script, 0o755)
        host.allow(name, f'argv = ["/opt/{name}"]\nhost_runs_per_hour = 1000\n{policy}')
        run_id = secrets.token_hex(16)
        answer = host.ask({"op": "run", "run": run_id, "argv": [f"/opt/{name}"], "timeout": timeout})
        assert answer["answer"] == "started", answer
        start.name, start.ends_at = name, time.monotonic() + timeout
        return run_id

    return start


def members(host: Helped, run_id: str) -> list[str]:
    """Return the processes that carry the run's mark, as the host sees them."""
    script = 'grep -lz "^PARAMEDIC_RUN=$1" /proc/[0-9]*/environ 2> /dev/null; true'
    return host.machine.run("sh", "-c", script, "sh", run_id).split()


def limits_bite(host: Helped) -> bool:
    show = "cat /sys/fs/cgroup/pids$(sed -n 's/^[0-9]*:pids://p' /proc/self/cgroup)/pids.max /sys/fs/cgroup/pids.max"
    argv = (
        "systemd-run",
        "--quiet",
        "--collect",
        "--wait",
        "--pipe",
        "--property=TasksMax=7",
        "sh",
        "-c",
        f"{show} 2> /dev/null; true",
    )
    return host.machine.outcome(*argv).stdout.split()[:1] == ["7"]


def await_end(host: Helped, run_id: str) -> None:
    """Return once nothing of the run is left."""
    host.await_finished(run_id)
    eventually(lambda: not members(host, run_id), 60.0, host.processes)


@pytest.fixture
def contained(host: Helped, run, record_property):
    """Return what waits for the end of a run; `make soak` judges how late it is, `make test` tells it."""

    def contained(run_id):
        await_end(host, run_id)
        late = time.monotonic() - run.ends_at
        record_property("contained run, seconds after its time-out", f"{late:.1f}")
        # The manager counts from when the unit has started, which takes up to a second.
        assert late < 2.0 + 1.0 or "JUDGE_SECONDS" not in os.environ

    return contained


def test_a_fork_bomb_stays_in_its_bounds_and_ends_in_time(host: Helped, run, contained):
    if not limits_bite(host):
        pytest.skip("needs the pids cgroup controller inside of the host")
    run_id = run(BOMB, "tasks = 40\n", timeout=5.0)
    seen = []

    def look():
        seen.append(len(members(host, run_id)))
        return "result" in host.ask({"op": "status", "run": run_id})

    eventually(look, 60.0, host.processes)
    contained(run_id)
    assert 1 < max(seen) <= 40
    assert host.ask({"op": "status", "run": run_id})["result"] == "timeout"


def test_ten_gigabytes_of_output_keep_their_ends_and_end_in_time(host: Helped, run, contained):
    run_id = run(FLOOD)
    contained(run_id)
    answer = host.ask({"op": "status", "run": run_id})
    output = answer["output"]
    assert answer["result"] == "timeout"
    assert output.startswith("first\ny\ny\n")
    assert " bytes left out]" in output
    assert len(output) < 2 * 32 * 1024 + 100
    assert (host.machine.root / RUNS.lstrip("/") / run_id / "output").stat().st_size < 100_000


def test_a_brief_run_that_prints_without_end_is_ended(host: Helped, run):
    run_id = run(FLOOD, "brief = true\n", timeout=20)
    finished = host.await_finished(run_id)
    assert finished["output"].startswith("first\ny\ny\n")
    assert " bytes left out]" in finished["output"]
    assert len(finished["output"]) < 2 * 32 * 1024 + 100
    assert sum(each.stat().st_size for each in (host.machine.root / RUNS.lstrip("/") / run_id).iterdir()) < 1_100_000


def test_a_brief_run_prints_on_both_outputs_into_one_and_what_steers_a_terminal_is_escaped(host: Helped, run):
    run_id = run("#!/bin/sh\nprintf 'a\\033[2J'\necho b >&2\nexit 7\n", "brief = true\n")
    finished = host.await_finished(run_id)
    assert (finished["result"], finished["code"], finished["status"]) == ("exit-code", "exited", "7")
    assert finished["output"] == "a\\x1b[2Jb\n"


@pytest.mark.skipif("CRASH_POINTS" not in os.environ, reason="takes long: part of make soak")
def test_ten_gigabytes_of_output_are_read_to_their_end(host: Helped, run):
    run_id = run(FLOOD, "timeout_seconds = 300\n", timeout=300)
    finished = host.await_finished(run_id, 300)
    assert finished["result"] == "success"
    assert finished["output"].endswith("y\nlast\n")


@pytest.mark.parametrize("brief", ["false", "true"])
def test_a_grandchild_that_ignores_term_ends_in_time_too(host: Helped, run, brief, contained):
    run_id = run(HANG, f'user = "root"\nbrief = {brief}\n', timeout=2.0)
    contained(run_id)
    answer = host.ask({"op": "status", "run": run_id})
    assert (answer["result"], answer["output"]) == ("timeout", "hanging\n"), "it came to its grandchild"


def verdicts(host: Helped, run, policy):
    (host.machine.root / "srv/allowed").mkdir(exist_ok=True)
    (host.machine.root / "srv/allowed").chmod(0o777)
    (host.machine.root / "srv/allowed/mine").unlink(missing_ok=True)
    run_id = run(TRIES, policy, timeout=20)
    finished = host.await_finished(run_id)
    assert finished["result"] == "success", finished
    return dict(line.split(": ") for line in finished["output"].splitlines())


@pytest.mark.parametrize("brief", ["false", "true"])
def test_a_run_of_nobody_can_touch_nothing_but_what_it_was_given(host: Helped, run, brief):
    found = verdicts(host, run, f'writable = ["/srv/allowed"]\nbrief = {brief}\n')
    assert found.pop("caps") == "0000000000000000"
    assert sorted(name for name, answer in found.items() if answer == "yes") == ["allowed", "id", "own-tmp"]


def test_a_run_of_root_can_read_as_root_and_touch_nothing_else_either(host: Helped, run):
    found = verdicts(host, run, 'user = "root"\nwritable = ["/srv/allowed"]\n')
    assert found.pop("caps") == "0000000000000000"
    allowed = {"allowed", "id", "own-tmp", "shadow", "records", "kill", "state"}
    assert {name for name, answer in found.items() if answer == "yes"} <= allowed


def test_a_run_has_what_its_policy_gives_it(host: Helped, run):
    policy = 'user = "root"\ncapabilities = ["CAP_KILL"]\nnetwork = true\nmemory_mib = 77\ntasks = 33\n'
    policy += "timeout_seconds = 300\n"
    run_id = run("#!/bin/sh\nexec sleep 600\n", policy, timeout=300.0)
    unit = f"paramedic-run-{run_id}.service"
    shown = {name: host.machine.show(unit, name) for name in ("MemoryMax", "TasksMax", "RuntimeMaxUSec", "User")}
    assert shown == {"MemoryMax": str(77 << 20), "TasksMax": "33", "RuntimeMaxUSec": "5min", "User": "root"}
    assert host.machine.show(unit, "CapabilityBoundingSet") == "cap_kill"
    host.machine.run("systemctl", "stop", unit)
    await_end(host, run_id)


WORDS = [
    "$HOME",
    "${PATH}",
    "$$",
    "%n",
    "%%",
    "\\",
    '"',
    "'",
    "`id`",
    "$(id)",
    "a b",
    "~",
    "*",
    "{}",
    "&& id",
    "; id",
    "#",
]


@pytest.mark.parametrize("brief", ["false", "true"])
def test_no_word_is_expanded_on_its_way(host: Helped, brief):
    host.machine.write("/opt/words.sh", '#!/bin/sh\nfor word in "$@"; do printf "%s\\n" "$word"; done\n', 0o755)
    holes = ", ".join(f'"{{w{number}}}"' for number in range(len(WORDS)))
    patterns = "\n".join(f"w{number} = '.*'" for number in range(len(WORDS)))
    bounds = f"host_runs_per_hour = 1000\nbrief = {brief}"
    host.allow("words", f'argv = ["/opt/words.sh", {holes}]\n{bounds}\n[words]\n{patterns}\n')
    run_id = secrets.token_hex(16)
    host.ask({"op": "run", "run": run_id, "argv": ["words.sh", *WORDS], "timeout": 5})
    assert host.await_finished(run_id)["output"].splitlines() == WORDS


@pytest.mark.parametrize("word", ["--help", "-x", "a\n", "a\nb", "a\x00", "", "\x1b[2J", "ä", "\u202e"])
def test_words_that_no_pattern_makes_harmless_are_refused(host: Helped, word):
    host.allow("any", 'argv = ["/usr/bin/true", "{word}"]\nhost_runs_per_hour = 1000\n[words]\nword = \'(?s:.*)\'\n')
    request = {"op": "run", "run": secrets.token_hex(16), "argv": ["true", word], "timeout": 5}
    assert host.ask(request)["answer"] == "refused"
