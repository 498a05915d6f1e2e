"""Long history across restarts: what rules look back on for more than a quarter of an hour is kept in a file."""

from pathlib import Path

from agent.telemetry import log
from rules.history import HistoryError
from rules.series import SeriesStore

_log = log.get("history")
SAVE_SECONDS = 600.0
_SHORT_SECONDS = 900.0
"""A shorter horizon fills again by itself soon enough."""


def save(series: SeriesStore, state: Path) -> None:
    """Write the file anew. A disk that is full keeps the old one."""
    fresh = _path(state).with_suffix(".new")
    try:
        fresh.write_bytes(series.dump(_SHORT_SECONDS))
        fresh.replace(_path(state))
    except OSError as error:
        fresh.unlink(missing_ok=True)
        _log.warning("history not saved", error=str(error))


def load(series: SeriesStore, state: Path) -> None:
    """Take the history of the life before; one that cannot be read is put aside, and said."""
    path = _path(state)
    try:
        count = series.load(path.read_bytes())
    except FileNotFoundError:
        return
    except (OSError, HistoryError) as error:
        aside = path.with_suffix(".damaged")
        path.replace(aside)
        _log.error("history cannot be read: starting without", error=str(error), kept=str(aside))
        return
    _log.info("history loaded", series=count)


def _path(state: Path) -> Path:
    return state / "history"
