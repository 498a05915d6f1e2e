"""What the configuration says about freeze windows and inhibition, for those who decide."""

from collections.abc import Sequence
from itertools import chain

from agent.config.options import Config
from agent.engine.parts import Parts
from agent.incidents import windows
from agent.incidents.inhibition import Inhibition
from agent.incidents.muting import Freeze
from agent.incidents.windows import Recurrence
from rules import matchers
from rules.matchers import Matcher


def freezes(config: Config) -> list[Freeze]:
    return [
        Freeze(
            name=options.name,
            matchers=_matchers(options.match),
            escalates=options.then == "escalate",
            window=windows.parse(
                Recurrence(days=options.days, times=options.times, dates=options.dates, zone=options.zone)
            ),
        )
        for options in config.freezes
    ]


def inhibitions(config: Config) -> list[Inhibition]:
    return [
        Inhibition(
            name=options.name,
            source=_matchers(options.source_matchers),
            target=_matchers(options.target_matchers),
            equal=options.equal,
        )
        for options in config.inhibitions
    ]


def configure(parts: Parts, config: Config, now: float) -> None:
    """Let the engine's muting follow the configuration, from the alerts on that there are."""
    muting = parts.situations.muting
    muting.configure(freezes(config), inhibitions(config))
    muting.note(chain(parts.ruleset.active(), parts.intake.each()), now)


def _matchers(texts: Sequence[str]) -> tuple[Matcher, ...]:
    return tuple(matchers.parse(text) for text in texts)
