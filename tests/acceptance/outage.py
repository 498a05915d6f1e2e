"""One engine life of eight hours by a turned clock, while its ticket system is down; run as a process of its own.

`python -m tests.acceptance.outage STATE PORT INCIDENTS` prints what it cost as JSON: memory in MiB, rows, seconds.
"""

import json
import socket
import sys
import time
from pathlib import Path

from agent.app.presenting import presenter
from agent.executor import ticketing
from agent.executor.pool import Performer, Pool
from agent.incidents.events import EffectSettled
from agent.store.database import checkpoint
from agent.tickets.registry import ADAPTERS
from tests.agent.engine.conftest import Bench

HOURS = 8
TOGETHER = 10
"""Faults at a time; more would be a storm, which has one ticket."""
WARM_UP = 200
CHECKPOINTED = 200
"""After so many faults the log of the database is emptied, as the daemon does every half minute."""
PAGE_MIB = 4096 / 1024 / 1024


def resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_MIB


def performer(port: int) -> Performer:
    url = f"http://127.0.0.1:{port}/"
    spec = ADAPTERS["webhook"]
    return ticketing.performer(spec.open(spec.options(url=url, find_url=url), str))


class Life:
    """An engine whose ticket system is up or down."""

    def __init__(self, state: Path, port: int) -> None:
        self.bench = Bench(state, ladders=(), publish=())
        self.bench.parts.delivery.presenter = presenter(
            host_name="web1", topic_prefix="paramedic", advice=lambda _: None, audiences={}, addresses={}
        )
        self.nobody = socket.socket()  # bound, and never listening: it refuses whoever comes
        self.nobody.bind(("127.0.0.1", 0))
        self.up, self.down = performer(port), performer(self.nobody.getsockname()[1])
        self.refused = 0
        self.most = 0.0

    def faults(self, first: int, count: int, seconds: float) -> None:
        """Let so many services fail and recover, ten at a time, spread over the time."""
        for number in range(first, first + count, TOGETHER):
            names = [f"service-{each}.service" for each in range(number, number + TOGETHER)]
            for is_up in (0, 1):
                self.bench.processes(dict.fromkeys(names, is_up))
                self.bench.pass_time(seconds / count * TOGETHER / 2)
                self.refuse()
            if (number + TOGETHER) % CHECKPOINTED == 0:
                checkpoint(self.bench.database.path)

    def refuse(self) -> None:
        """Let the engine find out that the ticket system is down, as often as it asks."""
        while rows := self.bench.take("rt"):
            for row in rows:
                self.bench.engine.settled(self.down(row))
                self.refused += 1
            self.bench.turn()

    def drain(self) -> int:
        """Let everything out that is owed; return how many rows that were."""
        bench, done = self.bench, 0

        def settled(answer: EffectSettled) -> None:
            nonlocal done
            done += answer.done
            bench.engine.settled(answer)

        pool = Pool({"rt": self.up}, settled)
        waiting = bench.take("rt")
        bench.parts.outside.hand_over = pool.hand_over
        bench.clock.advance(400.0)  # longer than the longest wait
        for row in waiting:
            pool.hand_over(row)
        bench.turn()
        while len(bench.parts.delivery.outbox):
            began = time.monotonic()
            bench.engine.turn(bench.engine.queue.take(1.0, 1000))
            bench.clock.advance(time.monotonic() - began)
            self.most = max(self.most, resident())
        bench.parts.outside.hand_over = bench.handed.append
        return done


def main(state: str, port: str, incidents: str) -> None:
    life = Life(Path(state), int(port))
    life.faults(0, WARM_UP, 600.0)
    life.drain()
    before = life.most
    life.refused = 0
    life.faults(WARM_UP, int(incidents) - WARM_UP, HOURS * 3600.0)
    owed, life.most = len(life.bench.parts.delivery.outbox), resident()
    began = time.monotonic()
    done = life.drain()
    seconds = time.monotonic() - began
    figures = {"owed": owed, "refused": life.refused, "delivered": done, "seconds": seconds}
    sys.stdout.write(json.dumps(figures | {"before": before, "most": life.most}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
