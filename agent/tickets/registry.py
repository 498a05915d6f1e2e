"""The ticket systems that can be configured; the book is not among them, for it needs no configuration."""

from agent.tickets import roundup, rt, webhook
from agent.tickets.spec import AdapterSpec

ADAPTERS: dict[str, AdapterSpec] = {spec.name: spec for spec in (rt.SPEC, roundup.SPEC, webhook.SPEC)}
