"""The ticket systems that can be configured; the book is not among them, for it needs no configuration."""

from collections.abc import Iterator, Mapping
from importlib import import_module

from agent.tickets.spec import AdapterSpec

NAMES = ("rt", "roundup", "redmine", "jira", "github", "gitlab", "servicenow", "zammad", "glpi", "itop", "webhook")
"""Each is a module of this package. It is loaded when it is first asked for: nobody has them all."""


class _Adapters(Mapping[str, AdapterSpec]):
    def __getitem__(self, name: str) -> AdapterSpec:
        if name not in NAMES:
            raise KeyError(name)
        spec: AdapterSpec = import_module(f"agent.tickets.{name}").SPEC
        return spec

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


ADAPTERS: Mapping[str, AdapterSpec] = _Adapters()
