"""What the figures of a period give people to look at: each kind of finding, and not a bit sooner."""

from dataclasses import replace

import pytest

from agent.app.reporting import evidence
from agent.itsm import review
from agent.itsm.availability import ServiceFigures
from agent.itsm.catalogue import Agreement, Catalogue, Objective, Service
from agent.itsm.changes import ChangeKind, Deed, Word, carried_out
from agent.itsm.evidence import Evidence, Terms
from agent.itsm.figures import PHASES
from agent.itsm.measures import ActionFigures, Measures, RuleFigures, Spread, measures
from agent.itsm.problems import Problem, ProblemState
from rules import matchers
from tests.agent.engine.conftest import Bench

EVIDENCE = Evidence(host="web1", start=0.0, end=7 * 86400.0)
QUIET = measures(EVIDENCE)
SHOP = ServiceFigures(
    service="shop",
    owner="Ada",
    incidents=4,
    down=60.0,
    seen=60.0,
    availability=0.99,
    objective=0.999,
    budget_used=1.0,
    kept=3,
    promised=3,
)
RULE = RuleFigures(alertname="Flappy", incidents=4, false=4, returned=0, fixed=0)
ACTION = ActionFigures(remediation="restart-web", attempts=10, verified=8, seconds=1.0)
PROBLEM = Problem(
    id="problem-1",
    subject="s",
    alertname="Down",
    service="shop",
    symptom="it is down",
    state=ProblemState.OPEN,
    opened_at=0.0,
    updated_at=0.0,
    why="3 incidents within 7 days",
    owner="bob",
)
GOAL = Objective(availability=0.999, window=86400.0, agreement=Agreement(by="Head of Sales", review_by="2026-11-23"))


def found(figures: Measures = QUIET, **known: object) -> set[tuple[str, str, str]]:
    points = review.points(figures, replace(EVIDENCE, **known), "2026-11-23")
    return {(each.kind, each.about, each.owner) for each in points}


EMERGENCY = carried_out(
    Deed(
        key="k",
        kind=ChangeKind.RELOAD,
        subject="the configuration",
        reason="a typing error",
        requested_by="ann",
        approval=Word(by="ann", via="cli", at=10.0),
        before="a",
        after="b",
        result="",
        frozen="freeze night",
    ),
    10.0,
)


@pytest.mark.parametrize(
    ("before", "after", "point"),
    [
        (
            {"services": (SHOP,)},
            {"services": (replace(SHOP, budget_used=1.01),)},
            ("budget_spent", "service shop", "Ada"),
        ),
        ({"services": (SHOP,)}, {"services": (replace(SHOP, kept=2),)}, ("promises_broken", "service shop", "Ada")),
        (
            {"actions": (ACTION,)},
            {"actions": (replace(ACTION, verified=7),)},
            ("ineffective", "remediation restart-web", ""),
        ),
        (
            {"actions": (replace(ACTION, attempts=2, verified=0),)},
            {"actions": (replace(ACTION, attempts=3, verified=0),)},
            ("ineffective", "remediation restart-web", ""),
        ),
    ],
)
def test_what_went_badly_is_a_finding_and_what_went_well_enough_is_none(before, after, point):
    assert found(replace(QUIET, **before)) == set()
    assert found(replace(QUIET, **after)) == {point}


def test_a_rule_is_noisy_if_half_of_enough_incidents_were_false_and_the_worst_if_it_has_most():
    assert found(replace(QUIET, rules=(RULE,))) == set(), "too few to tell"
    enough = replace(RULE, incidents=5, false=2)
    assert found(replace(QUIET, rules=(enough, RULE))) == {("worst_rule", "rule Flappy", "")}
    noisy = replace(enough, false=3)
    assert ("noise", "rule Flappy", "") in found(replace(QUIET, rules=(noisy,)))


@pytest.mark.parametrize("phase", PHASES)
def test_the_phase_that_takes_half_of_all_time_is_the_bottleneck(phase):
    resolve = Spread(count=3, mean=1.0, median=1.0, greatest=1.0)
    phases = dict.fromkeys(PHASES, 10.0)
    assert found(replace(QUIET, resolve=resolve, phases=phases)) == set()
    slow = replace(QUIET, resolve=resolve, phases=phases | {phase: 30.0})
    assert found(slow) == {("bottleneck", f"phase {phase}", "")}
    assert found(replace(slow, resolve=replace(resolve, count=2))) == set()


def test_goals_that_nobody_agreed_to_or_whose_review_is_overdue_are_named_with_the_owner():
    terms = Terms(name="shop", owner="Ada", objective=GOAL)
    assert found(services=(terms,)) == set(), "it is due today"
    late = replace(GOAL, agreement=replace(GOAL.agreement, review_by="2026-11-22"))
    assert found(services=(replace(terms, objective=late),)) == {("overdue_review", "service shop", "Ada")}
    lonely = replace(GOAL, agreement=Agreement())
    assert found(services=(replace(terms, objective=lonely),)) == {("unconfirmed_goal", "service shop", "Ada")}


def test_problems_without_an_owner_or_behind_automation_are_named():
    assert found(problems=(PROBLEM,)) == set()
    assert found(problems=(replace(PROBLEM, owner=""),)) == {("unowned_problem", "problem-1", "")}
    assert found(problems=(replace(PROBLEM, masked=True),)) == {("masked", "problem-1", "bob")}


def test_an_emergency_is_named_until_somebody_has_reviewed_it():
    assert found(changes=(EMERGENCY,)) == {("unreviewed_change", f"change {EMERGENCY.id}", "")}
    assert found(changes=(replace(EMERGENCY, reviewed=Word(by="bob", via="cli", at=20.0)),)) == set()
    assert found(changes=(replace(EMERGENCY, drill=True),)) == set()


def test_alerts_that_belong_to_no_service_are_named_where_there_are_services(tmp_path):
    shop = Service(name="shop", match=(matchers.parse_all('{name="web"}'),))
    bench = Bench(tmp_path / "state", ladders=(), catalogue=Catalogue([shop]))
    begin = bench.clock.now()
    bench.processes({"web": 0, "postgres": 0, "worker": 0})
    bench.clock.advance(1)
    known = evidence(bench.reader, bench.policy, "web1", begin, bench.clock.now())
    bench.database.close()
    (point,) = [each for each in review.points(measures(known), known, "2026-11-23") if each.kind == "unmapped"]
    assert (point.about, point.says) == ("alert ProcessDown", "2 of its incidents belong to no service")
    alone = replace(known, services=tuple(each for each in known.services if each.name == "default"))
    assert "unmapped" not in {each.kind for each in review.points(measures(alone), alone, "2026-11-23")}
