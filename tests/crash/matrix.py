"""The matrix: stages of an incident's life, the system calls in them, and one death for each."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.crash.scene import Life, Nursery, Scene, scene, wait_for
from tests.crash.tracer import DURABLE, HANDING, OUTWARD, counted, executioner, traced
from tests.crash.verdict import broken

CONVERGED_SECONDS = 5.0
"""Within this nine of ten have settled; a machine that stalls for a moment may hold up the tenth."""
PATIENCE_SECONDS = 60.0
"""What has not settled by then never does."""
_MUTANT_SECONDS = 20.0
"""Some mutants never settle: what they have broken by then is enough."""
_WORKERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A moment of the story from which calls are counted. `enter` leads there and returns the daemon to be killed and
    what lets the story go on."""

    name: str
    calls: tuple[str, ...]
    enter: Callable[[Scene], tuple[Life, Callable[[], None]]]
    repair_seconds: float = 0.0
    helped: bool = False
    """The root helper runs the repair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KillPoint:
    stage: Stage
    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.stage.name}:{self.call}:{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What became of one life. `killed` is False if the story was over before the kill point came."""

    point: KillPoint
    killed: bool
    broken: tuple[str, ...]
    seconds: float
    """From the second start until everything had settled."""
    log: str = ""


def _strike(scene: Scene) -> tuple[Life, Callable[[], None]]:
    return scene.start(), scene.strike


def _first_start(scene: Scene) -> tuple[Life, Callable[[], None]]:
    scene.strike()
    life = scene.fork()
    return life, life.begin


def _under_repair(scene: Scene) -> Life:
    life = scene.start()
    scene.strike()
    wait_for(lambda: scene.effects() and scene.incidents()[0]["ticket_links"], "the repair and the ticket")
    return life


def _running(scene: Scene) -> tuple[Life, Callable[[], None]]:
    return _under_repair(scene), lambda: None


def _taken_up(scene: Scene) -> tuple[Life, Callable[[], None]]:
    _under_repair(scene).end()
    life = scene.fork()
    return life, life.begin


def _verifying(scene: Scene) -> tuple[Life, Callable[[], None]]:
    life = scene.start()
    scene.strike()
    wait_for(lambda: scene.desk.tickets and scene.desk.tickets[0].changes, "the ticket's update")
    return life, lambda: None


STAGES = (
    Stage(name="struck", calls=(*DURABLE, *OUTWARD), enter=_strike),
    Stage(name="handed-over", calls=HANDING, enter=_strike, repair_seconds=2.5),
    Stage(name="running", calls=(*DURABLE, *OUTWARD), enter=_running, repair_seconds=0.3),
    Stage(name="verifying", calls=(*DURABLE, *OUTWARD), enter=_verifying),
    Stage(name="taken-up", calls=(*DURABLE, *OUTWARD), enter=_taken_up, repair_seconds=2.5),
    Stage(name="first-start", calls=(*DURABLE, *OUTWARD), enter=_first_start),
)


HELPED = (
    Stage(name="helped-struck", calls=(*DURABLE, *OUTWARD), enter=_strike, helped=True),
    Stage(name="helped-running", calls=(*DURABLE, *OUTWARD), enter=_running, repair_seconds=1.0, helped=True),
    Stage(name="helped-taken-up", calls=(*DURABLE, *OUTWARD), enter=_taken_up, repair_seconds=2.5, helped=True),
)
"""The same with the root helper: the run goes on while the daemon is dead, and its result is collected."""


def points(stage: Stage, folder: Path, nursery: Nursery) -> list[KillPoint]:
    """Live once without dying and return every kill point there was."""
    trace = folder / f"{stage.name}.trace"
    with scene(folder / stage.name, nursery, repair_seconds=stage.repair_seconds, helped=stage.helped) as made:
        life, go_on = stage.enter(made)
        with traced(life, stage.calls, output=trace):
            go_on()
            wait_for(made.settled, f"a life without a death: {made.log()}")
    most = counted(trace)
    return [
        KillPoint(stage=stage, call=call, number=n) for call in stage.calls for n in range(1, most.get(call, 0) + 1)
    ]


def chosen(found: Sequence[KillPoint], limit: int) -> list[KillPoint]:
    """Return at most so many of them: every rare call, and the frequent ones evenly thinned out."""
    frequent = [point for point in found if point.call == "pwrite64"]
    rare = [point for point in found if point.call != "pwrite64"]
    room = max(0, limit - len(rare))
    step = max(1.0, len(frequent) / room) if room else len(frequent) + 1
    picked = [frequent[int(n * step)] for n in range(min(room, len(frequent))) if int(n * step) < len(frequent)]
    return [*rare, *picked][:limit]


def attempt(point: KillPoint, folder: Path, nursery: Nursery, mutant: str = "") -> Trial:
    """Kill the daemon at the point, start another, wait until everything has settled, and look."""
    stage, patience = point.stage, _MUTANT_SECONDS if mutant else PATIENCE_SECONDS
    with scene(folder, nursery, mutant=mutant, repair_seconds=stage.repair_seconds, helped=stage.helped) as made:
        life, go_on = stage.enter(made)
        with traced(life, (point.call,), *executioner(point.call, point.number)):
            go_on()
            wait_for(lambda: life.ended() or made.settled(), f"{point}: {made.log()}")
            killed = life.ended()
        began = time.monotonic()
        after = made.fork()
        after.begin()
        try:
            wait_for(made.settled, "settled", patience)
            late = []
        except AssertionError:
            late = [f"slow: not settled within {patience:g} s: {made.story()}"]
        seconds = time.monotonic() - began
        problems = (*late, *broken(made), *(["ended: the second daemon"] if after.ended() else []))
        return Trial(point=point, killed=killed, broken=problems, seconds=seconds, log=made.log())


def attempt_all(found: Sequence[KillPoint], folder: Path, nursery: Nursery, mutant: str = "") -> list[Trial]:
    """Try them all, two at a time, each in a folder of its own."""
    with ThreadPoolExecutor(_WORKERS) as workers:
        return list(
            workers.map(lambda each: attempt(each[1], folder / f"{mutant}{each[0]}", nursery, mutant), enumerate(found))
        )
