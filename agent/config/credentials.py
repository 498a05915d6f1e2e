"""Secrets that systemd hands over: `password_file = "${CREDENTIALS_DIRECTORY}/rt"` names the credential `rt`."""

from collections.abc import Mapping
from typing import Any

VARIABLE = "${CREDENTIALS_DIRECTORY}"


def resolved(tables: Any, environ: Mapping[str, str]) -> Any:  # noqa: ANN401 - parsed TOML
    """Return the tables with the variable replaced where a `*_file` begins with it; nothing else is ever expanded.

    Only in the service it is set; elsewhere it stays, and shows in every message about the file.
    """
    if isinstance(tables, list):
        return [resolved(each, environ) for each in tables]
    if not isinstance(tables, dict):
        return tables
    return {name: _resolved(name, value, environ) for name, value in tables.items()}


def _resolved(name: str, value: object, environ: Mapping[str, str]) -> object:
    if isinstance(value, str) and name.endswith("_file") and value.startswith(f"{VARIABLE}/"):
        return environ.get("CREDENTIALS_DIRECTORY", VARIABLE) + value.removeprefix(VARIABLE)
    return resolved(value, environ)
