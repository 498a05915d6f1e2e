"""Nagios plugins: real ones where they are installed, and hostile ones of our own."""

import os
import shutil
import socket
import subprocess

import pytest

from collectors.nagios import SEARCH_PATH, SPEC, NagiosCheck, NagiosOptions, collect
from collectors.sample import Origin
from collectors.spec import CollectError
from tests.remediations.living import alive, pid_in
from tests.services.service import eventually


@pytest.fixture
def run(tmp_path):
    """Run a shell script as a plugin; return its samples by name and label."""

    def started(script, **options):
        plugin = tmp_path / "plugin"
        plugin.write_text(f"#!/bin/sh\n{script}\n")
        plugin.chmod(0o700)
        return collected([str(plugin)], **options)

    return started


def collected(argv, **options):
    made = NagiosOptions(checks=(NagiosCheck(name="c", argv=tuple(argv)),), **({"timeout_seconds": 60} | options))
    return {
        (sample.name, dict(sample.labels).get("label", ""), dict(sample.labels).get("bound", "")): sample.value
        for sample in collect(made, "c")
    }


def state(samples):
    return samples["nagios_check_state", "", ""]


@pytest.mark.parametrize(("code", "wanted"), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 3), (127, 3), (255, 3)])
def test_the_exit_code_is_the_state_and_any_other_is_unknown(run, code, wanted):
    assert state(run(f"echo text; exit {code}")) == wanted


def test_a_plugin_that_a_signal_ends_is_unknown(run):
    assert state(run("kill -SEGV $$")) == 3


def test_performance_data_become_samples_with_their_thresholds(run):
    samples = run("echo 'DISK OK | /=2MB;3;4;0;5'; echo 'long | time=20ms'; exit 0")
    assert samples == {
        ("nagios_check_state", "", ""): 0.0,
        ("nagios_perfdata_value", "/", ""): 2 * 2**20,
        ("nagios_perfdata_warning", "/", "upper"): 3 * 2**20,
        ("nagios_perfdata_critical", "/", "upper"): 4 * 2**20,
        ("nagios_perfdata_minimum", "/", ""): 0.0,
        ("nagios_perfdata_maximum", "/", ""): 5 * 2**20,
        ("nagios_perfdata_value", "time", ""): 0.02,
    }


def test_a_plugin_that_hangs_is_unknown_and_its_children_die_with_it(run, tmp_path):
    script = f"trap '' TERM; sleep 4242 & echo $! > {tmp_path}/child; echo 'text | a=1'; wait"
    child = pid_in(tmp_path / "child")
    # On a busy machine it may not have come to its child so soon.
    eventually(lambda: state(run(script, timeout_seconds=0.5)) == 3 and child())
    eventually(lambda: not alive(child()))


def test_what_a_plugin_leaves_behind_is_ended_and_does_not_hold_the_run_up(run, tmp_path):
    assert state(run(f"sleep 4242 & echo $! > {tmp_path}/child; echo ok")) == 0
    child = pid_in(tmp_path / "child")()
    eventually(lambda: not alive(child))


def test_a_flood_is_read_and_forgotten_and_half_a_number_is_no_number(run):
    flood = "printf 'ok | a=1 '; head -c 1000000 /dev/zero | tr '\\0' 1; exit 1"
    samples = run(flood)
    assert state(samples) == 1
    assert [key for key in samples if key[0] == "nagios_perfdata_value"] == [("nagios_perfdata_value", "a", "")]
    assert run("printf 'ok | a=1 b=12345'", max_output_bytes=14)["nagios_perfdata_value", "a", ""] == 1.0
    assert ("nagios_perfdata_value", "b", "") not in run("printf 'ok | a=1 b=12345'", max_output_bytes=14)


def test_a_flood_without_end_is_unknown_after_the_time_out(run):
    assert state(run("exec yes", timeout_seconds=0.5)) == 3


def test_what_is_no_text_is_left_out(run):
    samples = run(r"printf 'caf\351 \033[31m|\351=1 \033=2 b=3\n'; exit 2")
    assert state(samples) == 2
    assert samples["nagios_perfdata_value", "b", ""] == 3.0
    assert all(label.isprintable() for _, label, _ in samples)


def test_it_gets_nothing_of_the_daemon_but_a_search_path(run, monkeypatch):
    monkeypatch.setenv("SECRET", "1")
    assert state(run('[ -z "$SECRET$NOTIFY_SOCKET" ] && [ "$PWD" = / ] && ! read -r line')) == 0
    assert SEARCH_PATH.startswith("/usr/local/lib/nagios/plugins")


def test_it_may_not_take_more_memory_than_allowed():
    python = shutil.which("python3", path=SEARCH_PATH)
    if python is None:
        pytest.skip("needs python3")
    # It waits until the limit is there: that is set after the start.
    eat = "import resource, sys\nwhile resource.getrlimit(resource.RLIMIT_AS)[0] < 0: pass\nbytearray(1 << 30)"
    assert state(collected([python, "-I", "-c", eat], max_memory_bytes=256 << 20)) == 1


@pytest.mark.parametrize("argv", [["/nowhere/check_nothing"], ["check_that_nobody_has"], ["/etc/passwd"]])
def test_a_plugin_that_cannot_be_started_is_a_failed_run(argv):
    with pytest.raises(CollectError, match="cannot start"):
        collected(argv)


@pytest.mark.parametrize(
    ("name", "argv"), [("", ("a",)), ("a\nb", ("a",)), ("a", ()), ("a", ("",)), ("a", ("b", "c\0d"))]
)
def test_a_check_that_makes_no_sense_is_refused(name, argv):
    with pytest.raises(ValueError, match="must"):
        NagiosCheck(name=name, argv=argv)


def test_two_checks_of_one_name_are_refused():
    check = NagiosCheck(name="a", argv=("b",))
    with pytest.raises(ValueError, match="named 'a'"):
        NagiosOptions(checks=(check, check))


def test_what_plugins_say_is_told_apart_from_what_we_see_ourselves():
    assert SPEC.origin is Origin.NAGIOS


def plugin(name):
    path = shutil.which(name, path=SEARCH_PATH)
    if path is None:
        pytest.skip("needs the package monitoring-plugins-basic (tests/services/install)")
    return path


def test_the_real_check_disk_agrees_with_the_kernel():
    samples = collected([plugin("check_disk"), "-w", "1%", "-c", "0%", "-u", "bytes", "-p", "/"])
    assert state(samples) in {0, 1, 2}
    disk = os.statvfs("/")
    assert samples["nagios_perfdata_maximum", "/", ""] == pytest.approx(disk.f_blocks * disk.f_frsize, rel=0.2)


def test_the_real_check_load_tells_all_three_and_its_thresholds():
    samples = collected([plugin("check_load"), "-w", "1000,1000,1000", "-c", "2000,2000,2000"])
    assert state(samples) == 0
    assert {label for name, label, _ in samples if name == "nagios_perfdata_value"} == {"load1", "load5", "load15"}
    assert samples["nagios_perfdata_critical", "load1", "upper"] == 2000.0


def test_the_real_check_tcp_tells_a_listener_from_none():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        up = collected([plugin("check_tcp"), "-H", "127.0.0.1", "-p", port])
    down = collected([plugin("check_tcp"), "-H", "127.0.0.1", "-p", port])
    assert (state(up), state(down)) == (0, 2)
    assert 0 <= up["nagios_perfdata_value", "time", ""] < 5


def test_the_real_check_dummy_is_found_by_its_name_alone():
    plugin("check_dummy")
    assert state(collected(["check_dummy", "2", "text"])) == 2


def test_the_samples_are_what_the_plugin_prints():
    printed = subprocess.run([plugin("check_swap"), "-w", "0", "-c", "0"], capture_output=True, check=False).stdout
    found = collected([plugin("check_swap"), "-w", "0", "-c", "0"])
    assert (b"|" in printed) == any(name == "nagios_perfdata_value" for name, _, _ in found)
