"""Making decisions durable: what could not be written stays owed to the disk, and until then nothing leaves."""

from collections.abc import Sequence

from agent.engine.situations import Situations
from agent.store.database import Database, StoreError, Write
from agent.telemetry import log

_log = log.get("store")


class Durable:
    """The writes of this turn and of turns before it that failed, in order."""

    def __init__(self, database: Database, situations: Situations) -> None:
        self._database = database
        self._situations = situations
        self.unwritten: list[Write] = []

    def commit(self, new: Sequence[Write]) -> bool:
        """Write everything in one transaction; return whether it is durable."""
        self.unwritten += new
        if not self.unwritten:
            return True
        try:
            self._database.commit(self.unwritten)
        except StoreError as error:
            if not self._situations.degraded:
                _log.error("nothing can be made durable", error=str(error))
            self._situations.degraded = f"nothing can be made durable: {error}"
            return False
        self.unwritten = []
        if self._situations.degraded:
            self._situations.degraded = ""
            self._database.reserve()
            _log.info("writing works again")
        return True
