"""What a ticket says about an incident: plain text for people, first what it means, then the technical facts."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from agent.incidents.decision import Reason
from agent.incidents.incident import ACTIVE, DEFAULT_SERVICE, Attempt, Awaiting, Incident, Proposal, Resolution, State
from agent.itsm import action_changes
from agent.itsm.articles import Advice
from agent.itsm.calendars import ALWAYS
from agent.tickets.contract import Draft, Update
from agent.tickets.plaintext import block, one_line, redacted
from collectors.sample import Labels
from rules.gotemplate.humanize import humanize_duration

TITLE_LENGTH = 180
"""Request Tracker keeps 200 characters."""
_LAST = 253_402_300_799.0
"""When the calendar ends: nothing that is told of is a reason not to tell of it."""
BODY_LENGTH = 16_000
VALUE_LENGTH = 1_000
ARGV_LENGTH = 500
ADVICE_LENGTH = 2_000
SUBJECT_LABELS = ("name", "service", "unit", "job_name", "mountpoint", "device", "target", "instance")
"""The first of these labels that is there says in a title what is not well."""

ENDS = {
    Resolution.FIXED: "Fixed: an automatic action helped, and fresh measurements have confirmed it.",
    Resolution.BY_ITSELF: "Over: the condition ended without an action of ours.",
    Resolution.SERIES_GONE: "Over: what was measured does not exist any more.",
    Resolution.BY_OPERATOR: "Declared over by an operator.",
    Resolution.WONT_FIX: "Won't fix: nothing more is done about it, whether or not it goes on.",
    Resolution.RULE_REMOVED: "Closed: the rule that watched for this was removed.",
}
_SAID = {
    Reason.TICKET_CLOSED: "Somebody has closed this ticket, but the fault lasts. It stays closed: the next word here is"
    " that it is over, or that it came back.",
    Reason.MAJOR_DECLARED: "This is a major incident now.",
    Reason.MAJOR_WITHDRAWN: "This is no major incident any more.",
    Reason.PROMISE_AT_RISK: "Most of the promised time is gone.",
    Reason.PROMISE_BROKEN: "The promised time is over.",
    Reason.ACKNOWLEDGEMENT_OVER: "The time of the acknowledgement is over: nobody has this in hand now.",
    Reason.FAREWELL: "paramedic is being removed from this host: nothing watches this any more.",
}
STATES = {
    State.OPEN: "Open.",
    State.AWAITING_APPROVAL: "An action is ready and waits for approval.",
    State.REMEDIATING: "An automatic action is running.",
    State.VERIFYING: "An action has run; fresh measurements will tell whether it helped.",
    State.ESCALATED: "A person is needed: automatic repair has ended or was not possible.",
    State.RESOLVED: "Over.",
    State.CLOSED: "Over.",
}


def correlation(incident: Incident) -> str:
    """Return what a ticket of this incident is found by."""
    return f"{incident.host}:{incident.id}"


def draft(incident: Incident, host_name: str, advice: Advice | None = None) -> Draft:
    """Return the ticket to be opened for this incident as it is now, with what is known about such ones."""
    return Draft(
        correlation=correlation(incident),
        title=title(incident, host_name),
        body=_text((*_business(incident, host_name), *_advice(advice), "", *_technical(incident))),
        priority=incident.priority,
        service=_service(incident),
        drill=incident.drill,
    )


def parts(incident: Incident, host_name: str, advice: Advice | None = None) -> dict[str, str]:
    """Return what a ticket consists of, by name, for templates."""
    return {
        "title": title(incident, host_name),
        "priority": incident.priority,
        "major": _clean(incident.major),
        "service": _service(incident),
        "host": _clean(host_name),
        "incident": incident.id,
        "business": _text(_business(incident, host_name)),
        "advice": _text(_advice(advice)).strip(),
        "technical": _text(_technical(incident)),
    }


def update_for(incident: Incident, reason: Reason, *, key: str, detail: str = "") -> Update:
    """Return the comment that tells what happened last. `key` is the effect's: one comment for one effect."""
    lines = [_headline(incident, reason)]
    if detail:
        lines.append(_clean(detail))
    if incident.attempts:
        lines += ["", "Last action:", *_attempt(incident.attempts[-1])]
    lines += _held_back(incident)
    lines += _promises(incident)
    return Update(key=key, comment=_text(lines), priority=incident.priority)


def notice(incident: Incident, host_name: str, reason: Reason, *, technical: bool) -> tuple[str, str]:
    """Return subject and text for people; those who are served are told what it means to them, and no more."""
    over = "" if incident.state in ACTIVE else "Over: "
    if not technical:  # why it was handed over may quote a command
        incident = replace(incident, escalated_reason="")
    lines = [_headline(incident, reason), "", *_business(incident, host_name)]
    if technical:
        lines += ["", *_technical(incident)]
    return f"{over}{title(incident, host_name)}", _text(lines)


def title(incident: Incident, host_name: str) -> str:
    """Return e.g. `[P2] SystemdUnitFailed nginx.service on web1`."""
    drill = "DRILL " if incident.drill else ""
    rank = "MAJOR " if incident.major else ""
    words = (f"{drill}[{rank}{incident.priority}]", incident.alertname, _subject(incident), "on", host_name)
    return one_line(redacted(" ".join(word[: 2 * TITLE_LENGTH] for word in words if word)), TITLE_LENGTH)


def _subject(incident: Incident) -> str:
    if incident.members:
        return f"({incident.members} incidents)"
    labels = dict(incident.labels)
    return next((labels[name] for name in SUBJECT_LABELS if labels.get(name)), "")


def _business(incident: Incident, host_name: str) -> Iterator[str]:
    if incident.drill:
        yield "DRILL. This is an exercise: nothing is really broken."
        yield ""
    annotations = dict(incident.annotations)
    yield _clean(annotations.get("summary") or f"{incident.alertname} on {host_name}")
    if description := annotations.get("description"):
        yield block(redacted(description[: 2 * VALUE_LENGTH]), VALUE_LENGTH)
    yield ""
    if incident.major:
        yield f"MAJOR INCIDENT: {_clean(incident.major)}"
    yield f"Priority: {incident.priority} (severity {_clean(incident.severity) or 'not given'})"
    if service := _service(incident):
        yield f"Service: {service}"
    yield f"Host: {_clean(host_name)}"
    yield f"Since: {_time(incident.active_at or incident.opened_at)}"
    yield f"Now: {_state(incident)}"
    yield from _promises(incident)
    yield from _known(incident)
    if incident.members:
        yield f"This ticket stands for {incident.members} incidents of the same kind."
    if incident.preexisting:
        yield "It was already so when monitoring started."


def _service(incident: Incident) -> str:
    """Return the service of the catalogue, else what the alert itself says."""
    known = incident.service if incident.service != DEFAULT_SERVICE else dict(incident.labels).get("service", "")
    return _clean(known)


def _known(incident: Incident) -> Iterator[str]:
    if incident.problem:
        yield f"It is one more of {_clean(incident.problem)}, which is not solved yet."
    if incident.workaround:
        yield f"What helps until then: {block(redacted(incident.workaround[: 2 * VALUE_LENGTH]), VALUE_LENGTH)}"


def _advice(advice: Advice | None) -> Iterator[str]:
    if advice is None:
        return
    yield ""
    kind = "Article" if advice.own else "Nearest article"
    yield f"{kind}: {_clean(advice.title)} (paramedic article show {advice.name})"
    if advice.mend:
        yield block(redacted(advice.mend[: 2 * ADVICE_LENGTH]), ADVICE_LENGTH)
    for name, title in advice.others:
        yield f"See also: {_clean(title)} (paramedic article show {name})"


def _promises(incident: Incident) -> Iterator[str]:
    for clock in incident.clocks:
        promise = f"Promised to {clock.kind} within {humanize_duration(clock.target)}"
        hours = f" of working time ({_clean(clock.calendar)})" if clock.calendar != ALWAYS.name else ""
        stands = {True: "kept", False: "broken", None: "broken" if clock.breached_at is not None else "running"}
        yield f"{promise}{hours}: {stands[clock.met]}"


def _technical(incident: Incident) -> Iterator[str]:
    yield "Technical details"
    yield f"Incident: {incident.id}"
    yield f"Rule: {_clean(incident.rule)}, value {incident.value:g}, alert {incident.alert_state}"
    if incident.cause:
        yield f"Known cause: {_clean(incident.cause)}"
    if incident.permanent_fix:
        yield f"What will solve it: {_clean(incident.permanent_fix)}"
    yield from _pairs("Labels", incident.labels)
    yield from _pairs("Annotations", incident.annotations)
    if incident.attempts:
        yield "Actions:"
        for attempt in incident.attempts:
            yield from _attempt(attempt)
    yield from _held_back(incident)


def _pairs(heading: str, pairs: Labels) -> Iterator[str]:
    if pairs:
        yield f"{heading}:"
        for name, value in pairs:
            yield _clean(f"  {name}: {value}")


def _attempt(attempt: Attempt) -> Iterator[str]:
    """What the program printed is not told: it stays on the host."""
    result = str(attempt.outcome) if attempt.outcome else "running"
    helped = {True: ", verified: it helped", False: ", verified: it did not help", None: ""}[attempt.verified]
    given = attempt.approval
    if given is not None:
        helped += f", approved by {given.via}:{given.by} at {_time(given.at)}"
    yield _clean(f"  {_time(attempt.started_at)} {attempt.remediation}, step {attempt.step + 1}: {result}{helped}")
    yield f"    {_command(attempt.argv)}"
    yield f"    {_change(attempt)}"


def _change(what: Attempt | Awaiting) -> str:
    change = action_changes.id_of(what)
    return f"Change: {change} (paramedic change show {change})"


def _held_back(incident: Incident) -> Iterator[str]:
    if incident.awaiting is not None:
        asked = incident.awaiting
        yield f"Waits for approval until {_time(asked.until)}: {_command(asked.argv)}"
        yield from _undo(asked)
        yield _change(asked)
        yield f"May approve: {_clean(', '.join(asked.approvers)) or 'nobody is configured'}"
        yield f'Approve it with a comment that says "approve {asked.plan}", refuse it with "reject {asked.plan}".'
    elif incident.would_run:
        yield f"Would run, if it were allowed to: {_command(incident.would_run)}"
        plan = incident.plan_asked
        if plan and incident.proposal is not None:
            yield from _undo(incident.proposal)
            yield f"May let it run once: {_clean(', '.join(incident.proposal.approvers))}"
            yield f'Do so with a comment that says "approve {plan}"; where it is wrong, say "reject {plan}".'
    if incident.refusals:
        yield "Held back by:"
        for refusal in incident.refusals:
            yield f"  {_clean(refusal)}"


def _undo(asked: Awaiting | Proposal) -> Iterator[str]:
    if asked.undo:
        yield f"Whoever approves it approves what undoes it if it makes things worse, too: {_command(asked.undo)}"


def _headline(incident: Incident, reason: Reason) -> str:
    drill = "DRILL. " if incident.drill else ""
    if reason is Reason.REOPENED:
        return f"{drill}It is back (re-opened {incident.reopened} times). {_state(incident)}"
    if charge := _charge(incident, reason):
        return drill + charge
    if reason in _SAID:
        return drill + _SAID[reason]
    if reason is Reason.APPROVAL_REFUSED:
        return f"{drill}A word on the plan that waits does not count:"
    if reason is Reason.APPROVAL_REMINDER:
        return f"{drill}Reminder: {_state(incident)}"
    if reason is Reason.NO_DATA:
        return f"{drill}No measurements arrive: nobody knows whether it is over."
    return drill + _state(incident)


def _charge(incident: Incident, reason: Reason) -> str:
    """Say who has an incident in hand, or that nobody has, where that is the news."""
    if reason is Reason.PAGED and incident.page is not None:
        level = f"level {incident.page.level} of {_clean(incident.page.chain)}"
        return f"Nobody has acknowledged this yet ({level}). {_state(incident)}"
    if reason is Reason.ACKNOWLEDGED and incident.acknowledged_by:
        until = f" until {_time(incident.acknowledged_until)}" if incident.acknowledged_until is not None else ""
        return f"{_clean(incident.acknowledged_by)} has taken it{until}: no automatic action until then."
    return f"Given back: automatic action may go on. {_state(incident)}" if reason is Reason.RELEASED else ""


def _state(incident: Incident) -> str:
    if incident.state in {State.RESOLVED, State.CLOSED} and incident.resolution:
        return ENDS[incident.resolution]
    if incident.state is State.ESCALATED and incident.escalated_reason:
        return f"{STATES[State.ESCALATED]} ({_clean(incident.escalated_reason)})"
    return STATES[incident.state]


def _command(argv: tuple[str, ...]) -> str:
    """The words of an argv, those with spaces in quotes: to be read, not to be pasted into a shell."""
    words = " ".join(repr(word) if not word or " " in word else word for word in argv)
    return one_line(redacted(words[: 2 * ARGV_LENGTH]), ARGV_LENGTH)


def _clean(text: str) -> str:
    return one_line(redacted(text[: 2 * VALUE_LENGTH]), VALUE_LENGTH)


def _time(at: float) -> str:
    return datetime.fromtimestamp(min(at, _LAST), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _text(lines: Iterator[str] | tuple[str, ...] | list[str]) -> str:
    return block("\n".join(lines), BODY_LENGTH)
