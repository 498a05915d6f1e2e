"""What the helper answers: it starts each run once, what root allows, and tells how it ended."""

import fcntl
import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from remediations.exec_helper import answers as module
from remediations.exec_helper import records
from remediations.exec_helper.records import Verdict
from tests.remediations.exec_helper.conftest import Bench, new_id


def test_a_run_that_is_allowed_starts_and_ends_and_is_told(echo):
    run_id = new_id()
    assert echo.ask("status", run_id) == {"answer": "unknown"}
    assert echo.run(echo.path, "hello", run_id=run_id) == {"answer": "started", "policy": "a.toml"}
    assert echo.finish(run_id) == {
        "answer": "finished",
        "result": "success",
        "code": "exited",
        "status": "0",
        "output": "hello\n",
    }


def test_a_run_id_runs_once(echo):
    run_id = new_id()
    echo.run(echo.path, "hello", run_id=run_id)
    assert echo.run(echo.path, "hello", run_id=run_id) == {"answer": "duplicate"}
    echo.finish(run_id)
    assert echo.run(echo.path, "other", run_id=run_id) == {"answer": "duplicate"}
    echo.restart()
    assert echo.run(echo.path, "hello", run_id=run_id) == {"answer": "duplicate"}
    echo.ask("forget", run_id)
    assert echo.run(echo.path, "hello", run_id=run_id) == {"answer": "duplicate"}
    assert len(echo.starter.started) == 1


def test_a_refused_run_left_no_trace_and_may_be_asked_for_again(echo):
    run_id = new_id()
    assert echo.run("/bin/sh", "-c", "id", run_id=run_id)["answer"] == "refused"
    assert echo.ask("status", run_id) == {"answer": "unknown"}
    assert echo.run(echo.path, "hello", run_id=run_id)["answer"] == "started"


@pytest.mark.parametrize("word", ["Hello", "a b", "a\n", "-a", "$HOME", "a;b", "", "../x", "a" * 5000, "ä"])
def test_a_word_that_no_policy_allows_is_refused(echo, word):
    assert echo.run(echo.path, word)["answer"] == "refused"
    assert echo.starter.started == []


@pytest.mark.parametrize("content", ["", "any"])
def test_while_the_stop_file_exists_nothing_starts(echo, content):
    (echo.top / "stop").write_text(content)
    assert "stop exists" in echo.run(echo.path, "hello")["reason"]
    (echo.top / "stop").unlink()
    (echo.top / "stop").symlink_to("/nowhere")
    assert "stop exists" in echo.run(echo.path, "hello")["reason"]
    (echo.top / "stop").unlink()
    assert echo.run(echo.path, "hello")["answer"] == "started"


@pytest.mark.parametrize("spoil", ["mode", "link", "folder", "hard"])
def test_a_policy_that_others_may_have_written_allows_nothing_and_is_named(echo, spoil):
    path = echo.folder / "a.toml"
    if spoil == "mode":
        path.chmod(0o664)
    elif spoil == "link":
        path.rename(echo.top / "elsewhere.toml")
        path.symlink_to(echo.top / "elsewhere.toml")
    elif spoil == "hard":
        (echo.top / "second").hardlink_to(path)
    else:
        echo.folder.chmod(0o777)
    answer = echo.run(echo.path, "hello")
    assert answer["answer"] == "refused"
    assert str(echo.folder) in answer["reason"]
    assert echo.starter.started == []


def test_a_program_that_others_may_write_does_not_run(echo):
    Path(echo.path).chmod(0o777)
    answer = echo.run(echo.path, "hello")
    assert "chmod go-w" in answer["reason"]


def test_a_missing_program_and_a_file_that_is_not_roots_are_named(bench):
    path = bench.program()
    script = bench.program("script", mode=0o666)
    bench.allow(f"argv = [{path!r}]\nfiles = [{script!r}]\n")
    assert "script can be written by others" in bench.run(path)["reason"]
    Path(path).unlink()
    assert "No such file" in bench.run(path)["reason"]


def test_one_argv_runs_as_often_as_its_policy_says_and_others_are_not_held_back(bench):
    path = bench.program()
    bench.allow(f"argv = [{path!r}, '{{w}}']\nruns = 2\n[words]\nw = ['true', 'echo']\n")
    assert [bench.run(path, "true")["answer"] for _ in range(3)] == ["started", "started", "refused"]
    assert bench.run(path, "echo")["answer"] == "started"
    bench.starter.join()
    bench.restart()
    answer = bench.run(path, "true")
    assert "2 runs within 3600 s" in answer["reason"]
    assert bench.run("tool", "true")["answer"] == "refused"  # without its folder it is the same argv


def test_the_host_has_a_limit_of_its_own(bench):
    path = bench.program()
    bench.allow(f"argv = [{path!r}, '{{w}}']\nhost_runs_per_hour = 3\n[words]\nw = '[a-z]+'\n")
    words = ["true", "echo", "date", "pwd"]
    assert [bench.run(path, word)["answer"] for word in words] == ["started"] * 3 + ["refused"]


def test_runs_of_a_former_boot_count_as_if_they_were_just_before_this_one(echo):
    echo.allow(f"argv = [{echo.path!r}, '{{word}}']\nruns = 1\nper_seconds = 1000000\n[words]\nword = '[a-z]+'\n")
    echo.run(echo.path, "hello")
    echo.starter.join()
    echo.restart("another boot")
    assert echo.run(echo.path, "hello")["answer"] == "refused"


def test_time_on_record_goes_on_with_the_next_boot_and_is_never_ahead(bench, monkeypatch):
    def up(seconds, boot):
        monkeypatch.setattr(records, "_boottime", lambda: seconds)
        bench.restart(boot)

    def ages():
        return sorted(bench.records.age(run_id) for run_id in runs)

    runs = [new_id() for _ in range(3)]
    for run_id, seconds, boot in zip(runs, (100.0, 9000.0, 50.0), ("first", "first", "second"), strict=True):
        up(seconds, boot)
        assert bench.records.claim(run_id, ("/bin/x",), "a.toml")
    up(80.0, "second")
    assert ages() == [30.0, 80.0, 80.0 + 8900.0]
    up(20.0, "third")
    assert ages() == [20.0, 20.0 + 50.0, 20.0 + 50.0 + 8900.0]
    assert (bench.records.within(60.0), bench.records.within(3600.0)) == (1, 2)


def test_runs_that_are_forgotten_make_none_of_the_others_older(bench, monkeypatch):
    first, second = new_id(), new_id()
    monkeypatch.setattr(records, "_boottime", lambda: 5000.0)
    bench.restart("first")
    assert bench.records.claim(first, ("/bin/x",), "a.toml")
    monkeypatch.setattr(records, "_boottime", lambda: 100.0)
    bench.restart("second")
    assert bench.records.claim(second, ("/bin/x",), "a.toml")
    shutil.rmtree(bench.top / "runs" / first)
    monkeypatch.setattr(records, "_boottime", lambda: 160.0)
    bench.restart("second")
    assert 0.0 <= bench.records.age(second) <= 60.0


def test_the_policy_bounds_the_time_that_is_asked_for(bench):
    path = bench.program()
    bench.allow(f"argv = [{path!r}, 'true']\ntimeout_seconds = 5\n")
    bench.run(path, "true", timeout=1e9)
    bench.run(path, "true", timeout=2)
    assert [seconds for _, _, seconds in bench.starter.started] == [5, 2]


def test_more_runs_at_once_than_can_be_had_are_not_refused_but_put_off(bench):
    gate, run_id = bench.top / "gate", new_id()
    path = bench.program(text=f"#!/bin/sh\nexec flock --shared {gate} true\n")
    bench.allow(f"argv = [{path!r}, '{{n}}']\nhost_runs_per_hour = 100\n[words]\nn = '[0-9]+'\n")
    with gate.open("w") as closed:
        fcntl.flock(closed, fcntl.LOCK_EX)
        for number in range(module.MOST_RUNNING):
            assert bench.run(path, str(number))["answer"] == "started"
        assert bench.run(path, "100", run_id=run_id) == {"answer": "busy"}
    bench.starter.join()
    assert bench.run(path, "100", run_id=run_id)["answer"] == "started"


def test_what_systemd_does_not_take_is_refused_and_has_ended(echo):
    echo.starter.refuses = "no such user"
    run_id = new_id()
    assert "no such user" in echo.run(echo.path, "hello", run_id=run_id)["reason"]
    assert echo.ask("status", run_id)["result"] == "not-started"


def test_a_claim_that_was_torn_never_runs(echo):
    run_id = new_id()
    Path(echo.records.path(run_id)).mkdir()
    assert echo.run(echo.path, "hello", run_id=run_id) == {"answer": "duplicate"}
    echo.restart()
    assert echo.run(echo.path, "hello", run_id=run_id) == {"answer": "duplicate"}
    assert echo.ask("status", run_id)["result"] == "lost"


def test_a_run_that_ended_without_a_verdict_is_lost_and_stays_so(echo, monkeypatch):
    run_id = new_id()
    echo.records.claim(run_id, ("x",), "a.toml")
    echo.starter.living.add(run_id)
    now = time.monotonic()
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    assert echo.ask("status", run_id) == {"answer": "running"}
    now += 2
    assert echo.ask("status", run_id) == {"answer": "running"}
    echo.starter.living.clear()
    now += 2
    assert echo.ask("status", run_id)["result"] == "lost"
    assert echo.ask("status", run_id)["result"] == "lost"


def test_after_a_reboot_a_run_without_a_verdict_is_lost_at_once(echo):
    run_id = new_id()
    echo.records.claim(run_id, ("x",), "a.toml")
    echo.starter.living.add(run_id)
    echo.restart("another boot")
    assert echo.ask("status", run_id)["result"] == "lost"


def test_what_is_forgotten_has_no_output_any_more_but_ran(echo):
    run_id = new_id()
    echo.run(echo.path, "hello", run_id=run_id)
    echo.finish(run_id)
    assert echo.ask("forget", run_id) == {"answer": "forgotten"}
    assert echo.ask("forget", run_id) == {"answer": "forgotten"}
    answer = echo.ask("status", run_id)
    assert (answer["result"], answer["output"]) == ("success", "")
    assert echo.ask("forget", new_id()) == {"answer": "unknown"}


def test_a_run_under_way_is_not_forgotten(echo):
    run_id = new_id()
    echo.records.claim(run_id, ("x",), "a.toml")
    assert echo.ask("forget", run_id)["answer"] == "refused"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"x",
        b"[]",
        b"null",
        b"{}",
        b'{"op": "run"}',
        b'{"op": "stop", "run": "00000000000000000000000000000000"}',
        b'{"op": ["run"], "run": "00000000000000000000000000000000"}',
        b'{"op": "run", "run": "../../../../etc/passwd"}',
        b'{"op": "status", "run": "0000000000000000000000000000000G"}',
        b'{"op": "status", "run": "00000000000000000000000000000000\\n"}',
        b'{"op": "run", "run": "00000000000000000000000000000000", "argv": ["a"], "timeout": NaN}',
        b'{"op": "run", "run": "00000000000000000000000000000000", "argv": ["a"], "timeout": -1}',
        b'{"op": "run", "run": "00000000000000000000000000000000", "argv": ["a"], "timeout": true}',
        b'{"op": "run", "run": "00000000000000000000000000000000", "argv": "a", "timeout": 1}',
        b"[" * 60_000,
        b"\xff\xfe",
        b'{"op": "run", "run": ' + b"9" * 60_000 + b"}",
    ],
)
def test_nonsense_is_refused(bench, line):
    assert bench.answers.answer(line)["answer"] == "refused"


def test_a_verdict_that_nobody_could_give_is_written_once_and_durably(echo):
    run_id = new_id()
    echo.records.claim(run_id, ("x",), "a.toml")
    echo.records.conclude(run_id, Verdict(result="lost"))
    echo.restart()
    assert echo.records.verdict(run_id).result == "lost"


def test_the_oldest_of_too_many_runs_are_forgotten_whole(echo, monkeypatch):
    monkeypatch.setattr("remediations.exec_helper.records.KEPT", 3)
    ids = [new_id() for _ in range(5)]
    for run_id in ids:
        echo.records.claim(run_id, ("x",), "a.toml")
    assert [echo.records.known(run_id) for run_id in ids] == [False, False, True, True, True]


@pytest.fixture
def small_disk(tmp_path):
    """Return a folder on a file system of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir(mode=0o755)
    mount = ("mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "paramedic-test", str(place))
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True, timeout=60).returncode:
        pytest.skip("needs the right to mount, to have a disk that is full")
    yield place
    subprocess.run(("umount", "--lazy", str(place)), check=True, timeout=60)


def fill(disk):
    with suppress(OSError), (disk / "fill").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def test_on_a_full_disk_the_reserve_lets_one_more_run_begin_and_then_it_is_refused(small_disk):
    bench = Bench(small_disk)
    bench.path = bench.program(text='#!/bin/sh\necho "$@"\n')
    bench.allow(f"argv = [{bench.path!r}, '{{word}}']\n[words]\nword = '[a-z]+'\n")
    fill(small_disk)
    run_id = new_id()
    assert bench.run(bench.path, "hello", run_id=run_id)["answer"] == "started"
    assert bench.finish(run_id)["result"] == "success"
    fill(small_disk)
    refused = new_id()
    assert "No space left" in bench.run(bench.path, "again", run_id=refused)["reason"]
    assert bench.ask("status", refused) == {"answer": "unknown"}
    (small_disk / "fill").unlink()
    bench.restart()
    fill(small_disk)
    assert bench.run(bench.path, "again", run_id=refused)["answer"] == "started"
    bench.starter.join()
