"""Why a service runs no longer: told to stop, ended by itself, failed, about to be started again, or given up.

systemd tells of every change of a unit, with all its properties. A unit that somebody asked to stop has a job, and
nothing has gone wrong yet when it begins to stop: that tells it from a death. On its way from one state to the next a
unit passes through others in the same breath: it is failed before it waits for its restart, and inactive before it is
given up. So these count only when systemd has answered a question since. For a unit that ended while nobody listened
the times say why: one that is told to stop leaves the state "active" before its main process ends, one that dies does
so after.

What is known of a unit is a mapping of properties by name, with `CAUSE`, which is ours, among them: missing for a unit
that has not ended as far as we know, "" once one that had ended runs again.
"""

from collections.abc import Mapping

Properties = Mapping[str, object]

CAUSE = "paramedic.Cause"
REQUEST, EXIT, FAILURE, RESTART, GIVEN_UP = CAUSES = ("request", "exit", "failure", "restart", "given_up")
UNKNOWN, BY_ITSELF = "unknown", "by_itself"
"""Causes that need questions: one of a unit that ended unheard, and an exit that may have been meant."""
PASSING = {"failing": FAILURE, "giving_up": GIVEN_UP, "not_restarted": REQUEST}
"""Causes that need an answer, whatever it says, and what they are then."""
MEANT = ("Unit.UnitFileState", "Unit.TriggeredBy")
TIMES = (
    "Unit.InactiveExitTimestampMonotonic",
    "Unit.ActiveEnterTimestampMonotonic",
    "Unit.ActiveExitTimestampMonotonic",
    "Service.ExecMainExitTimestampMonotonic",
)
ANSWER = ("Unit.StateChangeTimestampMonotonic",)
QUESTIONS = {UNKNOWN: ("Service.Result", *TIMES, *MEANT), BY_ITSELF: MEANT, **dict.fromkeys(PASSING, ANSWER)}
ONLY_ASKED = frozenset(question.partition(".")[2] for question in (*TIMES, *MEANT, *ANSWER))
LASTING = frozenset({"simple", "exec", "forking", "notify", "notify-reload", "idle"})
"""Types of services that are there to go on; a oneshot ends, one on the bus may end when nobody needs it."""
OWN_DOING = frozenset({"watchdog", "oom-kill", "resources", "protocol", "start-limit-hit", "exec-condition"})
"""Results by which systemd itself stopped the unit."""


def learned(known: Properties, told: Properties) -> dict[str, object]:
    """Return what is known of a service after it was told of: what changed, or the answers to `questions`."""
    now = {**known, **told}
    cause = _settled(_cause(known, now), now)
    if cause or known.get(CAUSE, UNKNOWN) != UNKNOWN:
        now[CAUSE] = cause
    else:
        now.pop(CAUSE, None)
    if cause not in QUESTIONS:
        for name in ONLY_ASKED & now.keys():
            del now[name]  # true of this end only
    return now


def passing(known: Properties) -> bool:
    """Return whether the service may be failed for a moment only."""
    return known.get(CAUSE) in PASSING and known["ActiveState"] == "failed"


def questions(known: Properties) -> tuple[str, ...]:
    """Return which properties, as `Interface.Name`, settle why the service ended."""
    cause = str(known.get(CAUSE))
    if cause == UNKNOWN and known["ActiveState"] == "inactive" and known.get("Type") not in LASTING:
        return ()
    return QUESTIONS.get(cause, ())


def _cause(known: Properties, now: Properties) -> str:
    before, state, sub = known.get("ActiveState"), now.get("ActiveState"), str(now.get("SubState"))
    cause = str(known.get(CAUSE, ""))
    if (before, str(known.get("SubState"))) == (state, sub):
        return cause
    match state:
        case "failed" | "inactive" if before is None:
            return UNKNOWN
        case "failed":
            return _failed(known, now, cause)
        case "inactive":
            return _inactive(known, now, cause)
        case "deactivating":
            return REQUEST if cause == REQUEST or _asked(now) else ""
        case "activating":
            return RESTART if sub.startswith("auto-restart") else ""
    return ""


def _failed(known: Properties, now: Properties, cause: str) -> str:
    """A start that is refused fails at once; since systemd 254 a restart does so without being inactive before."""
    waited = known.get("ActiveState") == "inactive" or cause == RESTART
    refused = waited and now.get("Result") != "resources"
    if cause == REQUEST and not refused:
        return REQUEST
    return "giving_up" if refused or now.get("Result") == "start-limit-hit" else "failing"


def _inactive(known: Properties, now: Properties, cause: str) -> str:
    """Only a request ends a wait for the restart for good, or takes a failure back."""
    before = known.get("ActiveState")
    if cause == RESTART:
        return "not_restarted"
    if cause == REQUEST or before == "failed":
        return REQUEST
    if before == "activating":
        return ""  # done
    return REQUEST if _asked(known) or _asked(now) else BY_ITSELF


def _asked(properties: Properties) -> bool:
    """Return whether a job is under way, and nothing has gone wrong."""
    job = properties.get("Job")
    return isinstance(job, list | tuple) and bool(job[0]) and properties.get("Result", "success") == "success"


def _settled(cause: str, now: Properties) -> str:
    """Return the cause once everything that was asked for is there."""
    if cause not in QUESTIONS or not now.keys() >= {question.partition(".")[2] for question in QUESTIONS[cause]}:
        return cause
    if cause in PASSING:
        return PASSING[cause]
    if cause == UNKNOWN:
        cause = _reconstructed(now)
    if cause == BY_ITSELF:
        started = now["UnitFileState"] in {"enabled", "enabled-runtime"} and not now["TriggeredBy"]
        return EXIT if started and now.get("Type") in LASTING else ""
    return cause


def _reconstructed(now: Properties) -> str:
    """Return what the times of its last run say of a unit that ended unheard."""
    began, active, left, died = (_number(now, question.partition(".")[2]) for question in TIMES)
    ran = 0 < began <= active <= left
    if now["ActiveState"] == "inactive":
        return BY_ITSELF if ran and active <= died <= left and now["Result"] == "success" else ""
    if ran and left < died and now["Result"] not in OWN_DOING:
        return REQUEST
    return GIVEN_UP if _number(now, "NRestarts") or now["Result"] == "start-limit-hit" else FAILURE


def _number(properties: Properties, name: str) -> int:
    value = properties.get(name)
    return value if isinstance(value, int) else 0
