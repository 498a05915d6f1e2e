"""What `paramedic check` says about people and rotas that load, but may not be meant."""

from collections.abc import Iterator

from agent.config.finding import Finding, Level
from agent.config.oncall_options import parse_moment
from agent.config.options import Config
from agent.incidents import windows


def findings(config: Config, now: float) -> Iterator[Finding]:
    """Name what may not be meant: mail for one person that goes to many, and rotas whose time is not now."""
    mails = {channel.name for channel in config.channels if channel.kind == "email"}
    for index, person in enumerate(config.people):
        if not person.address and mails & set(person.channels):
            message = "is missing: what is for them goes to the `to` of the e-mail channel"
            yield Finding(Level.WARNING, f"people[{index}].address", message)
    yield from _rotas(config, now)


def _rotas(config: Config, now: float) -> Iterator[Finding]:
    """Name rotas that have not begun, and overrides that are over."""
    for index, options in enumerate(config.rotas):
        zone = windows.parse_zone(options.zone)
        start = min(f"{layer.start} {layer.at}" for layer in options.layers)
        if windows.instant(parse_moment(start), zone) > now:
            message = f"begin on {start} ({options.zone}): until then nobody is on call, and the team is told instead"
            yield Finding(Level.WARNING, f"rotas[{index}].layers", message)
        for number, each in enumerate(options.overrides):
            if windows.instant(parse_moment(each.end), zone) <= now:
                message = f"is over since {each.end} ({options.zone}): remove it"
                yield Finding(Level.WARNING, f"rotas[{index}].overrides[{number}]", message)
