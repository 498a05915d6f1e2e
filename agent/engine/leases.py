"""When posted alerts are expected again, to the second."""

import heapq
import math
from collections.abc import Iterator

from agent.incidents.posted import Held


class Leases:
    """Alerts by the second in which their lease ends. One that was extended is put off when its second comes."""

    def __init__(self) -> None:
        self._seconds: list[int] = []
        self._ending: dict[int, list[Held]] = {}

    def add(self, held: Held) -> None:
        second = math.ceil(held.until)
        ending = self._ending.get(second)
        if ending is None:
            self._ending[second] = [held]
            heapq.heappush(self._seconds, second)
        else:
            ending.append(held)

    def next_at(self) -> float | None:
        return self._seconds[0] if self._seconds else None

    def over(self, now: float, limit: int) -> Iterator[Held]:
        """Yield alerts whose lease is over, `limit` at most; the rest stays for the next time."""
        while self._seconds and self._seconds[0] <= now and limit > 0:
            ending = self._ending[self._seconds[0]]
            while ending and limit > 0:
                limit -= 1
                held = ending.pop()
                if held.until > now:
                    self.add(held)
                else:
                    yield held
            if not ending:
                del self._ending[heapq.heappop(self._seconds)]
