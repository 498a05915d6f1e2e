"""Which host this is, where we run on it, and who else is at work there."""

import os
import socket
import uuid
from collections.abc import Callable
from functools import partial

from agent.collecting.presence import Opened, Places, presence
from agent.config.options import Config
from agent.engine.situations import Presence
from agent.store.database import Database, set_meta
from collectors.sample import Labels
from collectors.sample import labels as make_labels
from remediations import sandbox
from remediations.sandbox import HostEnvironment


def host_name(config: Config) -> str:
    return config.host.name or socket.gethostname()


def external(config: Config) -> Labels:
    """Return the labels that every series of this host carries."""
    return make_labels(job=config.host.job, instance=host_name(config))


def pushed(config: Config) -> Labels:
    """Return the labels that alerts carry when they leave this host."""
    return make_labels(**{**config.host.external_labels, **dict(external(config))})


def host_id(database: Database) -> str:
    """Return what tells this installation from every other, clones included; made once."""
    known = database.meta("host_id")
    if known is None:
        known = uuid.uuid4().hex[:12]
        database.commit([set_meta("host_id", known)])
    return known


def environment(config: Config) -> HostEnvironment:
    """Return where we run; to be asked before sd_notify has removed its variables."""
    return sandbox.detect(os.environ, config.paths.procfs, helper=config.guards.helper)


def looking(config: Config) -> Callable[[float], Presence]:
    """Return what looks who is at work on this host."""
    guards = config.guards
    places = Places(idle_seconds=guards.operator_idle, locked=guards.lock_files, existing=guards.busy_files)
    return partial(presence, places, opened=Opened(guards.lock_files))
