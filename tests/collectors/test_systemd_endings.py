"""Why a service ended, from what systemd says in which order."""

import pytest

from collectors.systemd_endings import CAUSE, learned, passing, questions

JOB, NONE = (7, "/job/7"), (0, "/")
RUNS = {"ActiveState": "active", "SubState": "running", "Type": "simple", "Result": "success", "Job": NONE}
ANSWER = {"StateChangeTimestampMonotonic": 1}
ENABLED = {"UnitFileState": "enabled", "TriggeredBy": []}


def unit(active, sub, job=NONE):
    return {"ActiveState": active, "SubState": sub, "Job": job}


def after(*told, known=RUNS):
    """Return the cause after each thing told."""
    causes = []
    for each in told:
        known = learned(known, each)
        causes.append(known.get(CAUSE))
    return causes


STOPPING = (unit("active", "running", JOB), {"Result": "success"}, unit("deactivating", "stop-sigterm", JOB))


@pytest.mark.parametrize("end", [("inactive", "dead", "success"), ("failed", "failed", "exit-code")])
def test_a_stop_that_was_asked_for_is_a_request_however_it_ends(end):
    active, sub, result = end
    assert after(*STOPPING, {"Result": result}, unit(active, sub))[2:] == ["request"] * 3


def test_a_stop_that_needs_force_is_a_request():
    killed = (unit("deactivating", "stop-sigkill", JOB), {"Result": "timeout"}, unit("failed", "failed"))
    assert after(*STOPPING, *killed)[-1] == "request"


def test_a_request_is_over_when_the_service_starts_again():
    restarted = (unit("inactive", "dead", JOB), unit("activating", "start", JOB), unit("active", "running"))
    assert after(*STOPPING, *restarted)[-2:] == ["", ""]
    assert after(*STOPPING, *restarted, {"Result": "signal"}, unit("failed", "failed"), ANSWER)[-1] == "failure"


def test_a_process_that_is_killed_is_a_failure_once_systemd_has_no_more_to_say():
    known = learned(RUNS, {**unit("failed", "failed"), "Result": "signal"})
    assert passing(known)
    assert questions(known) == ("Unit.StateChangeTimestampMonotonic",)
    known = learned(known, ANSWER)
    assert (known[CAUSE], passing(known), questions(known)) == ("failure", False, ())


def test_a_process_that_dies_during_a_reload_is_a_failure():
    told = (unit("active", "reload", JOB), {"Result": "exit-code"}, unit("deactivating", "stop-post", JOB))
    assert after(*told, unit("failed", "failed"), ANSWER)[-1] == "failure"


def test_what_systemd_ends_itself_is_no_request():
    told = ({"Result": "watchdog"}, unit("deactivating", "stop-watchdog"), unit("failed", "failed"), ANSWER)
    assert after(*told)[-1] == "failure"


def test_a_start_that_fails_is_a_failure_and_one_that_is_stopped_a_request():
    start = {**RUNS, **unit("activating", "start", JOB), "Type": "oneshot"}
    assert after({"Result": "exit-code"}, unit("failed", "failed", JOB), ANSWER, known=start)[-1] == "failure"
    stopped = (unit("deactivating", "stop-sigterm", JOB), {"Result": "signal"}, unit("failed", "failed"))
    assert after(*stopped, known=start)[-1] == "request"


RESTARTING = ({"Result": "exit-code"}, unit("failed", "failed"), unit("activating", "auto-restart"))
NEXT_START = (unit("activating", "auto-restart", JOB), unit("inactive", "dead", JOB))


def test_a_service_that_systemd_starts_again_is_to_be_restarted_and_never_failed():
    assert after(*RESTARTING, ANSWER)[-2:] == ["restart", "restart"]
    assert after(*RESTARTING, *NEXT_START, unit("active", "running", JOB), ANSWER)[-2:] == ["", ""]
    assert after(unit("inactive", "dead"), unit("activating", "auto-restart"), ENABLED)[-2:] == ["restart", "restart"]


def test_a_service_that_is_started_no_more_is_given_up():
    told = (*RESTARTING, *NEXT_START, unit("failed", "failed", JOB))
    assert after(*told, ANSWER)[-1] == "given_up"
    assert after(*told, ANSWER, {"NRestarts": 5}, unit("failed", "failed"))[-1] == "given_up"


def test_since_systemd_254_a_service_is_given_up_as_it_waits_and_its_result_stays():
    waiting = (unit("failed", "failed-before-auto-restart"), unit("activating", "auto-restart"))
    queued = (unit("activating", "auto-restart", JOB), unit("activating", "auto-restart-queued", JOB))
    told = ({"Result": "exit-code"}, *waiting, *queued)
    assert after(*told, unit("failed", "failed"), ANSWER)[-2:] == ["giving_up", "given_up"]
    assert after(*told, {"Result": "resources"}, unit("failed", "failed"), ANSWER)[-1] == "failure"
    again = (unit("active", "running", JOB), unit("failed", "failed-before-auto-restart"))
    assert after(*told, {"Result": "success"}, *again)[-2:] == ["", "failing"]


def test_a_restart_by_hand_beyond_the_limit_is_given_up():
    told = (*STOPPING, unit("inactive", "dead", JOB), unit("failed", "failed", JOB), ANSWER)
    assert after(*told)[-1] == "given_up"


def test_a_start_for_which_nothing_is_left_is_a_failure():
    told = ({"Result": "resources"}, unit("failed", "failed", JOB), ANSWER)
    assert after(*told, known={**RUNS, **unit("inactive", "dead", JOB)})[-1] == "failure"


def test_who_stops_a_service_that_waits_for_its_restart_asked_for_it():
    assert after(*RESTARTING, *NEXT_START, unit("inactive", "dead"), ANSWER)[-1] == "request"


def test_a_failure_that_is_taken_back_is_a_request():
    assert after({"Result": "signal"}, unit("failed", "failed"), ANSWER, unit("inactive", "dead"))[-1] == "request"


def test_an_enabled_service_that_ends_without_an_error_is_an_exit_once_that_is_known():
    known = learned(RUNS, unit("inactive", "dead"))
    assert questions(known) == ("Unit.UnitFileState", "Unit.TriggeredBy")
    known = learned(known, ENABLED)
    assert known[CAUSE] == "exit"
    assert questions(known) == ()
    assert after(unit("activating", "start", JOB), unit("active", "running", JOB), known=known) == ["", ""]


@pytest.mark.parametrize(
    "more",
    [
        {"UnitFileState": "disabled"},
        {"UnitFileState": "transient"},
        {"UnitFileState": None},
        {"TriggeredBy": ["shop.timer"]},
        {"Type": "dbus"},
        {"Type": "oneshot"},
    ],
)
def test_a_service_that_may_end_by_itself_has_no_cause(more):
    assert after(unit("inactive", "dead"), {**ENABLED, **more})[-1] == ""


def test_a_oneshot_that_is_done_has_no_cause():
    assert after(unit("inactive", "dead"), known={**RUNS, **unit("activating", "start", JOB)}) == [None]


def test_a_service_that_remains_after_its_exit_ends_only_at_a_request():
    known = {**RUNS, **unit("active", "exited")}
    assert after(unit("active", "exited", JOB), unit("inactive", "dead"), known=known)[-1] == "request"


def heard_late(state, *, result="success", died=0, left=0, restarts=0, began=100, active=110):
    """Return the cause of an end that nobody listened to, from times in microseconds."""
    known = learned({}, {**unit(state, "x"), "Type": "simple", "NRestarts": restarts})
    assert len(questions(known)) == 7
    names = ("InactiveExit", "ActiveEnter", "ActiveExit")
    times = {f"{name}TimestampMonotonic": at for name, at in zip(names, (began, active, left), strict=True)}
    return learned(known, {**ENABLED, **times, "ExecMainExitTimestampMonotonic": died, "Result": result}).get(CAUSE)


@pytest.mark.parametrize(
    ("cause", "facts"),
    [
        ("request", {"state": "failed", "result": "exit-code", "left": 200, "died": 210}),
        ("request", {"state": "failed", "result": "timeout", "left": 200, "died": 90_210}),
        ("failure", {"state": "failed", "result": "exit-code", "left": 200, "died": 199}),
        ("failure", {"state": "failed", "result": "watchdog", "left": 200, "died": 210}),
        # The last start failed; what is told of the run before does not count.
        ("failure", {"state": "failed", "result": "exit-code", "left": 50, "died": 110, "active": 20}),
        ("given_up", {"state": "failed", "result": "exit-code", "left": 200, "died": 199, "restarts": 5}),
        ("given_up", {"state": "failed", "result": "start-limit-hit", "left": 200, "died": 199}),
        ("exit", {"state": "inactive", "left": 200, "died": 199}),
        (None, {"state": "inactive", "left": 200, "died": 210}),
        (None, {"state": "inactive", "began": 0, "active": 0}),
    ],
)
def test_the_times_tell_why_a_service_ended_that_nobody_listened_to(cause, facts):
    assert heard_late(**facts) == cause


def test_an_end_long_ago_of_what_may_end_is_not_asked_about():
    for kind in ("oneshot", "dbus"):
        assert questions(learned({}, {**unit("inactive", "dead"), "Type": kind})) == ()
