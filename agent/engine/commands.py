"""What operators and other programs can ask of the engine. Each is answered once its effect is durable."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.engine.improvements import Improvement
from agent.incidents.events import (
    Acknowledged,
    Approved,
    Declined,
    MajorDeclared,
    Rejected,
    Released,
    ResolvedByOperator,
    RetryOrdered,
    TicketClosed,
)
from agent.incidents.posted import Post
from agent.incidents.silences import Silence
from collectors.sample import Failure, Origin, Reading
from remediations.mode import Mode

if TYPE_CHECKING:
    from agent.engine.batch import Batch
    from agent.itsm.capacity_plan import Survey


class CommandError(Exception):
    """The command cannot be carried out; the message says why. `status` is the HTTP status that fits."""

    def __init__(self, message: str, status: int = 409) -> None:
        super().__init__(message)
        self.status = status


class BusyError(CommandError):
    """The queue is full or too many rows of the inbox are not applied yet: try again later."""

    def __init__(self, message: str = "the engine is busy; try again") -> None:
        super().__init__(message, 503)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnIncident:
    """What a person does to one incident. Answer: the incident as `Reader.incident` shows it."""

    incident_id: str
    event: (
        Acknowledged
        | Approved
        | Declined
        | MajorDeclared
        | Rejected
        | Released
        | ResolvedByOperator
        | RetryOrdered
        | TicketClosed
    )
    remark: tuple[str, int] | None = None
    """The ticket system and the remark there that said so: each counts once, whatever is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promote:
    """Let a remediation go one rung further on the ladder of modes. Answer: its standing."""

    remediation: str
    actor: str
    reason: str
    to: Mode | None = None
    """The rung that is meant; None: the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearse:
    """Say what a remediation would do about an alert with these labels. Nothing is begun. Answer: see `rehearsing`."""

    remediation: str
    labels: Mapping[str, str]
    value: float = 0.0
    origin: Origin = Origin.LOCAL


@dataclass(frozen=True, slots=True, kw_only=True)
class PostAlerts:
    """Alerts that other programs post. Answer: {"dropped": how many} when the inbox row of the others is committed."""

    alerts: Sequence[Post]
    origin: str
    body: bytes = b""
    """The same alerts as the JSON list that they came in, if they came in one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """What messages said. Answer: {} when the readings are in the series store and the alerts durable.

    It may be ordered again after a failure: a sample that is there already is only written once more.
    """

    readings: Sequence[Reading | Failure] = ()
    alerts: Sequence[PostAlerts] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetStop:
    """Turn the global stop on (with a reason) or off (empty reason). Answer: {"stopped": reason}."""

    actor: str
    reason: str
    origin: str = "operator"
    """Who has a switch: the operators' and the broker's are lifted by themselves only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMaintenance:
    """Begin maintenance for so many seconds, or end it (0). Answer: {"maintenance": reason, "until": wall seconds}."""

    actor: str
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PutSilence:
    """Make a silence, or change the one whose id it carries. Answer: {"silenceID": id}."""

    actor: str
    silence: Silence


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireSilence:
    """End a silence; one that is over stays as it is. Answer: {"silenceID": id}."""

    actor: str
    silence_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """Let somebody stand in on a rota for so many seconds; 0 ends it. Answer: {"rota", "person" (on call), "until"}."""

    actor: str
    rota: str
    person: str
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainProblem:
    """Write down what somebody found out: owner, cause, workaround, permanent_fix. Answer: the problem."""

    actor: str
    problem_id: str
    found: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseProblem:
    """Declare the cause of a problem removed. Answer: the problem."""

    actor: str
    problem_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepSurvey:
    """Write down what was found about capacity, and ask for the changes that follow. Answer: how many."""

    survey: "Survey"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """Read the configuration again. The application does that, and orders `Reconfigure`.

    Answer: {"changed": [...], "restart_required": [...]}, and "not_ready" if steps cannot run on this host as it is.
    """

    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconfigure:
    """Take over what another thread has read, or note why it cannot be: `swap` does the one or the other."""

    actor: str
    swap: Callable[["Batch"], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Farewell:
    """Tell everybody that nobody watches any more. Answer: {"tickets": n, "alerts": n, "topics": n}."""

    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeChange:
    """Ask for a change by hand; with a problem, for what removes its cause. Answer: the change, as of all of these."""

    actor: str
    subject: str
    reason: str
    problem: str = ""
    fallback: str = ""
    starts_at: float | None = None
    ends_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerChange:
    """Approve or reject a change that waits. `actor` is a name as approvers are listed by, `via` the channel."""

    actor: str
    via: str
    change_id: str
    approve: bool
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseChange:
    """Say what came of an approved change that people carry out."""

    actor: str
    change_id: str
    done: bool
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewChange:
    """Say what is to be said about an emergency change afterwards."""

    actor: str
    via: str
    change_id: str
    comment: str


ChangeCommand = ProposeChange | AnswerChange | CloseChange | ReviewChange


@dataclass(frozen=True, slots=True, kw_only=True)
class StartDrill:
    """Break something of the daemon's own; not for the engine. Answer: {"drill": id, "killed_at": wall seconds}."""

    actor: str
    scenario: str = "service-down"
    people_seconds: float = 0.0
    """Within which somebody must acknowledge before anything is done about it; 0: no people take part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDrill:
    """Keep what a drill came to, as JSON knows it; its "drill" is the id. Answer: {}."""

    result: Mapping[str, Any]


Command = (
    OnIncident
    | Promote
    | Rehearse
    | PostAlerts
    | Ingest
    | SetStop
    | SetMaintenance
    | StandIn
    | PutSilence
    | ExpireSilence
    | ExplainProblem
    | CloseProblem
    | ChangeCommand
    | KeepSurvey
    | Improvement
    | Reload
    | Reconfigure
    | Farewell
    | StartDrill
    | RecordDrill
)
