"""Priority from severity, until a service catalogue says more."""

PRIORITIES = {"page": "P1", "critical": "P1", "error": "P2", "warning": "P3"}


def priority_of(severity: str) -> str:
    return PRIORITIES.get(severity, "P4")
