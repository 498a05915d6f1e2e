"""`paramedic check --online`: whether ticket systems and channels to people answer, and let us in."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.app import outward
from agent.config.finding import Finding, Level
from agent.config.options import Config
from agent.config.registries import BOOK, Registries
from agent.notify.contract import NotifyError
from agent.tickets.contract import TicketError
from agent.tickets.credentials import read_secret

_VARIABLE = "CREDENTIALS_DIRECTORY"
_OF_THE_SERVICE = Path("/run/credentials/paramedic.service")


def environment(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment with the folder of the service's credentials, for those who may look into it."""
    if _VARIABLE in environ or not os.access(_OF_THE_SERVICE, os.R_OK | os.X_OK):
        return environ
    return {**environ, _VARIABLE: str(_OF_THE_SERVICE)}


def findings(config: Config, registries: Registries) -> Iterator[Finding]:
    """Yield what keeps each ticket system and channel from being used. Nothing is changed, and nobody told."""
    for index, options in enumerate(config.tickets):
        if options.system == BOOK:
            continue
        try:
            registries.adapters[options.system].open(options.options, read_secret).check()
        except TicketError as error:
            yield Finding(Level.ERROR, f"tickets[{index}]", f"{outward.name(options)} cannot be used: {error.reason}")
    yield from _channels(config)


def _channels(config: Config) -> Iterator[Finding]:
    for index, options in enumerate(config.channels):
        channel = outward.channel(options)
        try:
            if channel is not None:
                channel.check()
        except (NotifyError, TicketError) as error:
            yield Finding(Level.ERROR, f"channels[{index}]", f"{options.name} cannot be used: {error.reason}")
