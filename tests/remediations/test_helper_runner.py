"""Asking the helper: its words become ours, and whatever happens to it nothing is asked for twice."""

import os
import socket
import threading
from types import SimpleNamespace

import pytest

from remediations import helper_runner as module
from remediations.exec_helper.server import Server
from remediations.helper_runner import HelperRunner
from remediations.plan import Plan
from tests.remediations.exec_helper.conftest import Bench, new_id
from tests.services.service import eventually


@pytest.fixture
def socket_path(tmp_path):
    return tmp_path / "helper.sock"


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Ask often: nobody is to wait for the end of a short run."""
    monkeypatch.setattr(module, "_LOOK_SECONDS", (0.02,))
    monkeypatch.setattr(module, "_AGAIN_SECONDS", 0.05)


@pytest.fixture
def quick(monkeypatch):
    """Lose patience soon."""
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.5)


@pytest.fixture
def helper(tmp_path, socket_path):
    """Return a real helper behind a real socket, on which any plain word may be echoed."""
    tmp_path.chmod(0o755)
    bench = Bench(tmp_path)
    bench.path = bench.program(text='#!/bin/sh\necho "$@"\n')
    bench.sleeper = bench.program("sleeper", text="#!/bin/sh\nexec sleep $1\n")
    os.mkfifo(bench.top / "gate")
    bench.gated = bench.program("gated", text=f"#!/bin/sh\nread -r word < {bench.top}/gate\n")
    bench.failing = bench.program("failing", text="#!/bin/sh\nexit 3\n")
    bench.allow(f"argv = [{bench.path!r}, '{{word}}']\n[words]\nword = '[a-z]+'\n")
    bench.allow(f"argv = [{bench.sleeper!r}, '{{s}}']\n[words]\ns = '[0-9.]+'\n", "b.toml")
    bench.allow(f"argv = [{bench.failing!r}]\n", "c.toml")
    bench.allow(f"argv = [{bench.gated!r}]\n", "d.toml")
    with serving(socket_path, bench.answers.answer):
        yield bench
    bench.starter.join()


class serving:  # noqa: N801 - read as a verb
    """Answers on the socket for the length of the block."""

    def __init__(self, path, answer):
        self.path, self.answer = path, answer

    def __enter__(self):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        listener.listen(16)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.serve, args=(listener,))
        self.thread.start()

    def serve(self, listener):
        server = Server(listener, os.geteuid(), self.answer)
        with listener:
            while not self.over.is_set():
                server.serve(0.05)

    def __exit__(self, *_error):
        self.over.set()
        self.thread.join(60)
        self.path.unlink()


def plan(*argv, **more):
    return Plan(argv=argv, resource="r", by="helper", **more)


def test_a_plan_is_run_and_its_end_told(helper, socket_path):
    result = HelperRunner(socket_path).run(new_id(), plan(helper.path, "hello"), 60)
    assert (result.outcome, result.detail, result.output, result.exit_code) == (
        "succeeded",
        "exit status 0",
        "hello\n",
        0,
    )


@pytest.mark.parametrize(
    ("argv", "timeout", "outcome", "detail"),
    [
        (("failing",), 60, "failed", "exit status 3"),
        (("sleeper", "60"), 0.3, "timed_out", "timed out and was ended"),
        (("sleeper", "x"), 60, "refused", "by the helper: no policy in"),
    ],
)
def test_how_it_ends_is_an_outcome(helper, argv, timeout, outcome, detail):
    result = HelperRunner(helper.top / "helper.sock").run(new_id(), plan(*argv), timeout)
    assert result.outcome == outcome
    assert result.detail.startswith(detail)


def test_a_run_that_is_under_way_is_collected_by_the_next(helper, socket_path):
    run_id = new_id()
    first, results = HelperRunner(socket_path), []
    thread = threading.Thread(target=lambda: results.append(first.run(run_id, plan(helper.gated), 60)))
    thread.start()
    eventually(lambda: helper.starter.started)
    first.stop()
    thread.join(60)
    assert results == [None]
    second = HelperRunner(socket_path)
    assert second.began(run_id)
    with (helper.top / "gate").open("w") as gate:
        gate.write("go\n")
    assert second.collect(run_id, 60).outcome == "succeeded"
    assert second.run(run_id, plan(helper.gated), 60).outcome == "succeeded"
    assert len(helper.starter.started) == 1


def test_what_the_helper_does_not_know_has_not_begun(helper, socket_path):
    runner = HelperRunner(socket_path)
    assert not runner.began(new_id())
    assert runner.collect(new_id(), 10).outcome == "interrupted"


def test_without_a_helper_a_run_is_refused_and_may_have_begun_for_all_we_know(quick, socket_path):
    runner = HelperRunner(socket_path)
    result = runner.run(new_id(), plan("x"), 10)
    assert result.outcome == "refused"
    assert result.detail.startswith(f"needs_helper: {socket_path}")
    assert runner.began(new_id())


def test_a_helper_that_comes_back_in_time_is_asked_again(socket_path, helper, monkeypatch):
    run_id = new_id()
    runner = HelperRunner(socket_path)
    real, failures = runner._ask, [True, True]

    def ask(request):
        if failures:
            failures.pop()
            raise module.HelperError("lost", sent=True)
        return real(request)

    monkeypatch.setattr(runner, "_ask", ask)
    assert runner.run(run_id, plan(helper.path, "hello"), 60).outcome == "succeeded"
    assert len(helper.starter.started) == 1


def test_a_helper_that_falls_silent_after_the_question_leaves_the_run_in_doubt(quick, socket_path, monkeypatch):
    monkeypatch.setattr(module, "_ANSWER_SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_path))
        listener.listen(16)
        result = HelperRunner(socket_path).run(new_id(), plan("x"), 1)
    assert result.outcome == "interrupted"


def test_a_busy_helper_is_asked_again_and_then_the_run_is_refused(socket_path, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: 5.0 * len(asked)))
    with serving(socket_path, lambda line: asked.append(line) or {"answer": "busy"}):
        result = HelperRunner(socket_path).run(new_id(), plan("x"), 10)
    assert result.outcome == "refused"
    assert len(asked) == 4, "for as long as it has patience"


def test_stopping_ends_the_wait_for_a_busy_helper(socket_path):
    runner = HelperRunner(socket_path)
    with serving(socket_path, lambda _line: runner.stop() or {"answer": "busy"}):
        assert runner.run(new_id(), plan("x"), 10) is None


def test_old_results_are_given_up_by_the_helper(helper, socket_path, monkeypatch):
    monkeypatch.setattr(module, "_FORGET_SECONDS", 0.0)
    runner, run_id = HelperRunner(socket_path), new_id()
    runner.run(run_id, plan(helper.path, "hello"), 10)
    runner.run(new_id(), plan(helper.path, "other"), 10)
    assert helper.ask("status", run_id)["output"] == ""


def test_an_environment_is_not_passed_on(socket_path):
    result = HelperRunner(socket_path).run(new_id(), plan("x", environment=(("LD_PRELOAD", "x"),)), 10)
    assert result.outcome == "refused"


@pytest.mark.parametrize(
    ("told", "outcome", "detail"),
    [
        (("success", "exited", "0"), "succeeded", "exit status 0"),
        (("exit-code", "exited", "203"), "failed", "exit status 203"),
        (("timeout", "exited", "0"), "timed_out", "timed out and was ended"),
        (("timeout", "killed", "KILL"), "timed_out", "timed out and was ended"),
        (("success", "killed", "TERM"), "failed", "killed by SIGTERM"),
        (("signal", "killed", "KILL"), "failed", "killed by SIGKILL"),
        (("signal", "killed", "9"), "failed", "killed by SIGKILL"),
        (("oom-kill", "killed", "KILL"), "failed", "killed by SIGKILL (out of memory)"),
        (("resources", "", ""), "failed", "not run: resources"),
        (("lost", "", ""), "interrupted", "it ended without a verdict"),
        (("not-started", "", ""), "failed", "not run: not-started"),
        (("", "", ""), "failed", "not run: "),
    ],
)
def test_systemds_words_are_ours(socket_path, told, outcome, detail):
    answer = dict(zip(("result", "code", "status"), told, strict=True)) | {"answer": "finished", "output": "o"}
    with serving(socket_path, lambda _line: answer):
        result = HelperRunner(socket_path).collect(new_id(), 10)
    assert (result.outcome, result.detail, result.output) == (outcome, detail, "o")
