"""What `paramedic check` says about approvals."""

from collections.abc import Iterator

from agent.config.finding import Finding, Level, Subject
from remediations.mode import Mode


def unapprovable(subject: Subject) -> Iterator[Finding]:
    """Name remediations that wait for a word that nobody may give."""
    held = {path for path, _ in _restarts(subject)}
    for index, remediation in enumerate(subject.config.remediations):
        path = f"remediations[{index}].mode"
        nobody = not remediation.approvers and not subject.config.approvals.approvers
        if nobody and (remediation.mode is Mode.APPROVE or path in held):
            message = "waits for approval that nobody may give: name [approvals] approvers"
            yield Finding(Level.ERROR, path, message)


def held_back(subject: Subject) -> Iterator[Finding]:
    """Name remediations in mode auto with a step that never runs without a person's approval."""
    for path, action in _restarts(subject):
        message = f"{action} waits for a person's approval, whatever the mode: auto means approve for it"
        yield Finding(Level.WARNING, path, message)


def _restarts(subject: Subject) -> Iterator[tuple[str, str]]:
    for index, remediation in enumerate(subject.config.remediations):
        steps = (*remediation.steps, *([remediation.compensate] if remediation.compensate is not None else []))
        restarting = [step.action for step in steps if subject.registries.actions[step.action].restarts_host]
        if restarting and remediation.mode is Mode.AUTO:
            yield f"remediations[{index}].mode", restarting[0]
