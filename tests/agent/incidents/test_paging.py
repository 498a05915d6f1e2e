"""Where an incident stands in its chain: the pure part."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.incidents.advance import Context
from agent.incidents.decision import Decision, Reason
from agent.incidents.incident import Incident, Page, State
from agent.incidents.paging import paged
from agent.incidents.policy import Policy
from agent.incidents.routes import Chain, Level
from agent.incidents.situation import Situation
from collectors.sample import Origin
from tests.agent.incidents.conftest import NOW

CHAIN = Chain(name="urgent", levels=tuple(Level(after=after, channels=("c",)) for after in (0.0, 60.0, 300.0)))
ARMED = Page(chain="urgent", level=1, since=NOW - 30)


def incident(**changes):
    fields = dict.fromkeys(("key", "host", "alertname", "rule", "rule_version", "severity"), "x")
    times = {"opened_at": NOW, "updated_at": NOW}
    rest = {
        "id": "inc-7",
        "labels": (),
        "annotations": (),
        "priority": "P1",
        "origin": Origin.LOCAL,
        "state": State.OPEN,
    }
    return Incident(**(fields | times | rest | changes))


def placed(found, now=NOW, reason=Reason.UNCHANGED, **situation):
    policy = Policy(chains=(CHAIN,))
    context = Context(situation=Situation(**situation), policy=policy, now=now)
    return paged(Decision(incident=found, reason=reason), context)


def test_too_early_nothing_begins_and_it_is_looked_at_again():
    warm = placed(incident(), warming=True)
    assert (warm.incident.page, warm.incident.page_at, warm.reached) == (None, NOW + 15.0, ())
    settling = placed(incident(), ticket_hold_until=NOW + 99)
    assert (settling.incident.page, settling.incident.page_at) == (None, NOW + 99)


@pytest.mark.parametrize("situation", [{"warming": True}, {"ticket_hold_until": NOW + 99}])
def test_what_has_begun_goes_on_whatever_is_early(situation):
    after = placed(incident(page=ARMED), **situation).incident
    assert (after.page, after.page_at) == (ARMED, NOW + 30)


def test_a_level_is_the_news_only_where_there_is_no_other():
    later = incident(page=ARMED)
    news = placed(later, now=NOW + 30)
    assert (news.reason, news.detail, news.reached) == (Reason.PAGED, "level 2 of urgent", (1,))
    other = placed(later, now=NOW + 30, reason=Reason.UPDATED)
    assert (other.reason, other.reached) == (Reason.UPDATED, (1,))
    quiet = placed(later, now=NOW + 29)
    assert (quiet.reason, quiet.reached) == (Reason.UNCHANGED, ())


@pytest.mark.parametrize(
    "changes",
    [{"drill": True}, {"parent": "inc-1"}, {"covered_by": "inc-1"}, {"state": State.RESOLVED}, {"state": State.CLOSED}],
)
def test_what_nobody_hears_of_has_no_chain(changes):
    after = placed(incident(page=ARMED, page_at=NOW, **changes)).incident
    assert (after.page, after.page_at) == (None, None)


def test_a_chain_that_a_reload_shortened_has_no_more_levels():
    after = placed(incident(page=replace(ARMED, level=9))).incident
    assert (after.page.level, after.page_at) == (9, None)


@given(steps=st.lists(st.floats(0, 200), max_size=12))
def test_whenever_it_is_looked_at_each_level_is_reached_once_and_none_early(steps):
    found, now, reached = incident(), NOW, []
    for step in (0.0, *steps):
        now += step
        decision = placed(found, now=now)
        found = decision.incident
        reached += [(level, now) for level in decision.reached]
        assert found.page_at is None or found.page_at > now
    assert [level for level, _ in reached] == list(range(len(reached)))
    assert all(at >= NOW + CHAIN.levels[level].after for level, at in reached)
    due = sum(1 for level in CHAIN.levels if NOW + level.after <= now)
    assert len(reached) == due
