"""Rules over the store: recovery, lost data, groups, restarts, reloads and health."""

import time
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.sample import Failure, Origin, Reading, Sample, Source
from rules.alert import AlertState, Recovery
from rules.promql.compile import compile_query
from rules.rulefile import parse
from rules.ruleset import Health, Ruleset
from rules.series import SeriesStore

PENDING, FIRING, NO_DATA, RESOLVED = AlertState.PENDING, AlertState.FIRING, AlertState.NO_DATA, AlertState.RESOLVED
UP = Source("probe", "web")
KEY = "r.yml;g"


def groups(text):
    return parse(dedent(text), "r.yml").groups


def rules(*lines, head="name: g"):
    return groups(f"groups:\n- {head}\n  rules:\n" + "".join(f"  {line}\n" for line in lines))


class World:
    """A store and its rules, with a group `g`."""

    def __init__(self, *lines, head="name: g", store=None):
        self.store = store or SeriesStore()
        self.ruleset = Ruleset(rules(*lines, head=head), self.store)

    def read(self, at, *samples, source=UP, complete=True, origin=Origin.LOCAL):
        ours = [Sample(name, value, tuple(sorted(labels.items()))) for name, value, labels in samples]
        reading = Reading(source=source, at=at, samples=ours, complete=complete, pushed=not complete, origin=origin)
        return self.store.append(reading)

    def up(self, at, value, source=UP, name="web"):
        self.read(at, ("up", value, {"name": name}), source=source)

    def fail(self, at, source=UP, reason="timed out"):
        self.store.fail(Failure(source=source, at=at, reason=reason))

    def evaluate(self, at):
        return [(c.before, c.alert.state, c.alert.recovery) for c in self.ruleset.evaluate(KEY, at).changes]

    @property
    def alert(self):
        return next(self.ruleset.active(), None)


DOWN = "- {alert: Down, expr: up == 0}"


def firing_world(*lines):
    world = World(*(lines or (DOWN,)))
    world.up(100, 0)
    assert world.evaluate(101) == [(None, FIRING, None)]
    return world


def test_an_alert_carries_its_labels_value_sources_and_origin():
    alert = firing_world().alert
    assert alert.labels == (("alertname", "Down"), ("name", "web"))
    assert (alert.rule, alert.value, alert.active_at, alert.sampled_at) == ("r.yml;g;Down", 0.0, 101, 100)
    assert (alert.sources, alert.origin, alert.warming) == ((UP,), Origin.LOCAL, False)


def test_fresh_healthy_samples_resolve():
    world = firing_world()
    world.up(115, 1)
    assert world.evaluate(116) == [(FIRING, RESOLVED, Recovery.HEALTHY)]
    assert world.alert is None


def test_a_series_that_vanishes_in_a_successful_run_resolves_as_gone():
    world = firing_world()
    world.read(115)
    assert world.evaluate(116) == [(FIRING, RESOLVED, Recovery.SERIES_GONE)]


def test_a_series_that_vanishes_because_its_source_failed_does_not_resolve():
    world = firing_world()
    for at in range(115, 700, 15):
        world.fail(at)
        assert RESOLVED not in [after for _, after, _ in world.evaluate(at + 1)]
    assert world.alert.state is NO_DATA
    assert world.alert.reason == "probe web: timed out"
    world.up(715, 1)
    assert world.evaluate(716) == [(NO_DATA, RESOLVED, Recovery.HEALTHY)]


def test_a_source_that_falls_silent_does_not_resolve():
    world = firing_world()
    changes = [change for at in range(116, 800, 15) for change in world.evaluate(at)]
    assert changes == [(FIRING, NO_DATA, None)]
    assert world.alert.reason == "probe web: silent"
    world.up(815, 0)
    assert world.evaluate(816) == [(NO_DATA, FIRING, None)]


def test_another_sources_failure_does_not_keep_an_alert_open():
    world = World(DOWN)
    other = Source("probe", "mail")
    world.up(100, 0)
    world.up(100, 0, source=other, name="mail")
    world.evaluate(101)
    world.up(115, 1)
    world.fail(115, source=other)
    assert world.evaluate(116) == [(FIRING, RESOLVED, Recovery.HEALTHY)]
    assert world.alert.label("name") == "mail"


def test_an_alert_over_several_sources_waits_for_all_of_them():
    world = World("- {alert: Down, expr: sum(up) < 2}")
    other = Source("probe", "mail")
    world.up(100, 0)
    world.up(100, 1, source=other, name="mail")
    assert world.evaluate(101) == [(None, FIRING, None)]
    world.up(115, 1)
    assert world.evaluate(116) == []
    world.up(130, 1, source=other, name="mail")
    assert world.evaluate(131) == [(FIRING, RESOLVED, Recovery.HEALTHY)]


def test_of_a_source_of_events_the_last_reading_counts():
    world = World("- {alert: Busy, expr: queue > 5 and on () mode == 1}")
    events = Source("mqtt", "t")
    world.read(100, ("mode", 1, {}), source=events, complete=False)
    world.read(100, ("queue", 9, {}))
    assert world.evaluate(101) == [(None, FIRING, None)]
    world.read(115, ("queue", 1, {}))
    assert world.evaluate(116) == [(FIRING, RESOLVED, Recovery.HEALTHY)]


def test_a_metric_that_nobody_ever_had_is_simply_empty():
    world = World("- {alert: Missing, expr: absent(backup_done)}")
    world.up(100, 1)
    assert world.evaluate(101) == [(None, FIRING, None)]
    world.read(115, ("backup_done", 1, {}), source=Source("textfile"))
    assert world.evaluate(116) == [(FIRING, RESOLVED, Recovery.HEALTHY)]


def test_a_source_that_was_switched_off_takes_its_alert_along():
    world = firing_world()
    world.store.forget(UP)
    assert world.evaluate(116) == [(FIRING, RESOLVED, Recovery.SERIES_GONE)]


def test_the_origin_of_an_alert_is_that_of_its_foreign_samples():
    world = World(DOWN)
    world.read(100, ("up", 0, {}), source=Source("mqtt", "t"), origin=Origin.MQTT)
    world.evaluate(101)
    assert world.alert.origin is Origin.MQTT


TOPIC = Source("mqtt", "t")


@pytest.mark.parametrize(
    ("expression", "pushed"),
    [
        ("up == 0 and on() temperature > 50", {"name": "elsewhere"}),
        ("up == 0 unless on() temperature < 50", {"name": "elsewhere"}),
        ("up == 0 and on(room) temperature > 50", {"name": "elsewhere"}),
        ("up * on() group_left() temperature == 0", {"name": "elsewhere"}),
        ("up == 0 and on() (sum(temperature) > 50)", {"name": "elsewhere"}),
    ],
)
def test_what_others_say_is_no_less_theirs_when_its_labels_are_of_something_else(expression, pushed):
    world = World(f"- {{alert: Hot, expr: '{expression}'}}")
    world.up(100, 0)
    world.read(100, ("temperature", 60, pushed), source=TOPIC, origin=Origin.MQTT)
    world.evaluate(101)
    assert world.alert.origin is Origin.MQTT
    assert set(world.alert.sources) == {UP, TOPIC}


def test_an_alert_about_one_of_ours_is_not_theirs_because_they_have_such_series_too():
    world = World(DOWN)
    world.up(100, 0)
    world.read(100, ("up", 1, {"name": "other"}), source=TOPIC, origin=Origin.MQTT)
    world.evaluate(101)
    assert (world.alert.origin, world.alert.sources) == (Origin.LOCAL, (UP,))


@pytest.mark.parametrize(
    "expression", ['ALERTS{alertname="Hot"}', 'up == 0 and on() ALERTS_FOR_STATE{alertname="Hot"}']
)
def test_an_alert_about_an_alert_has_its_origin(expression):
    world = World("- {alert: Hot, expr: temperature > 50}", f"- {{alert: Act, expr: '{expression}'}}")
    world.up(100, 0)
    world.read(100, ("temperature", 60, {}), source=TOPIC, origin=Origin.MQTT)
    world.evaluate(101)
    world.evaluate(116)
    assert {alert.name: alert.origin for alert in world.ruleset.active()} == {"Hot": Origin.MQTT, "Act": Origin.MQTT}


EXPORTER = Source("scrape", "shop")


def told(*rules, name="temperature", pushed=(), scraped=()):
    """Return the origin of the alert, when others have said something, too: by MQTT, and an exporter."""
    world = World(*rules)
    for at in (100, 115, 130):
        world.up(at, 0)
        for labels in pushed:
            world.read(at, (name, 60, labels), source=TOPIC, origin=Origin.MQTT)
        for labels in scraped:
            world.read(at, (name, 60, labels), source=EXPORTER, origin=Origin.SCRAPE)
        world.evaluate(at + 1)
    return next(alert.origin for alert in world.ruleset.active() if alert.name == "Act")


@pytest.mark.parametrize(
    "expression", ["heat:max > 50", '{__name__=~"heat:.*"} > 50', '{__name__=~"heat:.*", name!="x"} > 50']
)
def test_what_a_rule_has_recorded_is_of_the_origin_of_what_it_goes_by(expression):
    rules = "- {record: 'heat:max', expr: 'max(temperature)'}", f"- {{alert: Act, expr: '{expression}'}}"
    assert told(*rules, pushed=[{}]) is Origin.MQTT
    assert told(*rules, pushed=[{}], scraped=[{}]) is Origin.MQTT
    assert told(*rules, scraped=[{}]) is Origin.SCRAPE


@pytest.mark.parametrize("expression", ["temperature > 1 or shop_down", "shop_down or temperature > 1"])
def test_of_several_origins_the_farthest_counts_wherever_it_stands(expression):
    world = World(f"- {{alert: Act, expr: 'sum({expression}) > 0'}}")
    world.read(100, ("temperature", 60, {"a": "b"}), source=TOPIC, origin=Origin.MQTT)
    world.read(100, ("shop_down", 60, {}), source=EXPORTER, origin=Origin.SCRAPE)
    world.evaluate(101)
    assert world.alert.origin is Origin.MQTT


def test_whoever_tells_of_a_metric_that_rules_record_is_not_taken_for_them():
    rules = "- {record: 'all:down', expr: 'up == 0'}", "- {alert: Act, expr: 'all:down > 50'}"
    assert told(*rules, name="all:down", scraped=[{"name": "shop"}]) is Origin.SCRAPE


def test_an_alert_about_what_we_recorded_is_ours_although_others_tell_of_such_a_metric():
    rules = "- {record: 'all:down', expr: 'up == 0'}", "- {alert: Act, expr: 'all:down < 50'}"
    assert told(*rules, name="all:down", scraped=[{"name": "shop"}]) is Origin.LOCAL
    assert told(*rules) is Origin.LOCAL


def test_an_alert_about_an_alert_of_ours_is_ours():
    world = World(DOWN, "- {alert: Act, expr: 'ALERTS{alertname=\"Down\"}'}")
    world.up(100, 0)
    world.evaluate(101)
    world.evaluate(116)
    assert {alert.origin for alert in world.ruleset.active()} == {Origin.LOCAL}


def test_a_rule_warms_up_until_history_covers_its_range():
    world = World("- {alert: Errors, expr: 'rate(errors[1m]) > 0'}")
    world.read(100, ("errors", 0, {}))
    world.read(115, ("errors", 5, {}))
    assert world.evaluate(116) == [(None, FIRING, None)]
    assert world.alert.warming
    assert world.ruleset.warming == {"r.yml;g;Errors": True}
    for at in (130, 145, 160):
        world.read(at, ("errors", at, {}))
    assert world.evaluate(161) == [(FIRING, FIRING, None)]
    assert not world.alert.warming
    assert world.ruleset.warming == {"r.yml;g;Errors": False}


def test_an_empty_result_while_warming_up_is_no_recovery():
    world = World("- {alert: Errors, expr: 'rate(errors[1m]) > 0'}")
    world.read(100, ("errors", 0, {}))
    world.read(115, ("errors", 5, {}))
    world.evaluate(116)
    saved = list(world.ruleset.active())

    reborn = World("- {alert: Errors, expr: 'rate(errors[1m]) > 0'}")
    assert reborn.ruleset.restore(saved, 200, cutoff=0) == ()
    reborn.read(200, ("errors", 9, {}))
    assert reborn.evaluate(201) == []
    for at in (215, 230, 245, 260):
        reborn.read(at, ("errors", 9, {}))
        assert reborn.evaluate(at - 1) == []
    assert reborn.evaluate(261) == [(FIRING, RESOLVED, Recovery.HEALTHY)]


def test_after_a_restart_an_alert_waits_for_its_source():
    saved = list(firing_world().ruleset.active())
    world = World(DOWN)
    world.store.declare(UP, ["up"])
    world.ruleset.restore(saved, 200, cutoff=0)
    world.read(200, ("up", 1, {"name": "mail"}), source=Source("probe", "mail"))
    assert world.evaluate(201) == []
    world.fail(215)
    assert world.evaluate(216) == [(FIRING, NO_DATA, None)]
    world.up(230, 1)
    assert world.evaluate(231) == [(NO_DATA, RESOLVED, Recovery.HEALTHY)]


def test_after_a_restart_a_source_that_nobody_knows_has_a_minute_and_is_no_recovery():
    saved = list(firing_world().ruleset.active())
    world = World(DOWN)
    world.ruleset.restore(saved, 200, cutoff=0)
    world.read(200, ("other", 1, {}), source=Source("other"))
    assert world.evaluate(259) == []
    assert world.evaluate(260) == [(FIRING, NO_DATA, None)]
    assert world.alert.reason == "probe web: not heard since the start"


@pytest.mark.parametrize(("cutoff", "fires_at"), [(50, 160), (150, 260)])
def test_a_restored_timer_goes_on_unless_it_is_too_old(cutoff, fires_at):
    line = "- {alert: Down, expr: up == 0, for: 1m}"
    world = World(line)
    world.up(100, 0)
    world.evaluate(100)
    reborn = World(line)
    reborn.ruleset.restore(list(world.ruleset.active()), 200, cutoff)
    fired = []
    for at in range(110, 300, 10):
        reborn.up(at, 0)
        if at == 200 and cutoff > 100:
            assert reborn.alert.active_at == 200
        if reborn.evaluate(at) and reborn.alert.state is FIRING:
            fired.append(at)
    assert fired == [fires_at]


def test_restoring_an_alert_whose_rule_is_gone_ends_it():
    saved = list(firing_world().ruleset.active())
    (change,) = World("- {alert: Other, expr: up}").ruleset.restore(saved, 200, cutoff=0)
    assert (change.before, change.alert.state, change.alert.recovery) == (FIRING, RESOLVED, Recovery.RULE_REMOVED)


def test_a_reload_keeps_unchanged_rules_and_ends_removed_ones():
    world = World(DOWN, "- {alert: Gone, expr: up == 0}")
    world.up(100, 0)
    world.evaluate(101)
    changes = world.ruleset.replace(rules(DOWN, "- {alert: New, expr: up == 0}"), 110)
    assert [(c.alert.name, c.before, c.alert.recovery) for c in changes] == [("Gone", FIRING, Recovery.RULE_REMOVED)]
    assert [alert.name for alert in world.ruleset.active()] == ["Down"]
    world.up(115, 0)
    assert world.evaluate(116) == [(None, FIRING, None)]
    assert {alert.name: alert.active_at for alert in world.ruleset.active()} == {"Down": 101, "New": 116}
    assert [series.key.labels for series in world.store.select("ALERTS") if not series.ended and series] == [
        (("alertname", alert), ("alertstate", "firing"), ("name", "web")) for alert in ("Down", "New")
    ]


def test_a_reload_keeps_the_alerts_of_a_rule_that_another_of_its_name_joins():
    warning = "- {alert: Down, expr: up == 0, for: 1m, labels: {severity: warning}}"
    critical = "- {alert: Down, expr: up == 0, for: 10m, labels: {severity: critical}}"
    world = World(warning)
    world.up(100, 0)
    assert world.evaluate(101) == [(None, PENDING, None)]
    before = world.alert
    assert world.ruleset.replace(rules(critical, warning), 110) == ()
    assert list(world.ruleset.active()) == [before]
    world.up(160, 0)
    changes = {
        dict(change.alert.labels)["severity"]: (change.before, change.alert.state)
        for change in world.ruleset.evaluate(KEY, 161).changes
    }
    assert changes == {"warning": (PENDING, FIRING), "critical": (None, PENDING)}


def test_twins_are_evaluated_once_and_have_one_alert():
    world = World(DOWN, DOWN)
    world.up(100, 0)
    assert world.evaluate(101) == [(None, FIRING, None)]
    assert len(list(world.ruleset.active())) == 1
    assert world.ruleset.replace(rules(DOWN), 110) == ()


def test_a_changed_rule_judges_its_alerts_anew():
    world = firing_world()
    assert world.ruleset.replace(rules("- {alert: Down, expr: up < 0}"), 110) == ()
    world.up(115, 0)
    assert world.evaluate(116) == [(FIRING, RESOLVED, Recovery.HEALTHY)]


def test_a_rule_over_its_limit_keeps_its_alerts_and_says_so():
    world = World(DOWN, head="name: g\n  limit: 1")
    world.up(100, 0)
    world.evaluate(101)
    for name in ("a", "b"):
        world.up(115, 0, source=Source("probe", name), name=name)
    world.up(115, 1)
    evaluation = world.ruleset.evaluate(KEY, 116)
    assert evaluation.changes == ()
    assert evaluation.limited == {"r.yml;g;Down"}
    assert evaluation.errors == {"r.yml;g;Down": "2 alerts, and the group's limit is 1"}
    assert world.alert.label("name") == "web"


def test_a_rule_that_fails_keeps_its_alerts_and_does_not_stop_the_others():
    world = World("- {alert: Bad, expr: up * on () up == 0}", DOWN)
    world.up(100, 0)
    assert world.evaluate(101) == [(None, FIRING, None), (None, FIRING, None)]
    world.up(115, 0, source=Source("probe", "mail"), name="mail")
    world.up(115, 1)
    evaluation = world.ruleset.evaluate(KEY, 116)
    assert list(evaluation.errors) == ["r.yml;g;Bad"]
    assert evaluation.limited == frozenset()
    assert [change.alert.name for change in evaluation.changes] == ["Down", "Down"]
    assert "Bad" in [alert.name for alert in world.ruleset.active()]


def test_elements_that_become_one_alert_are_an_error():
    world = World("- {alert: A, expr: up == 0, labels: {name: all}}")
    world.up(100, 0)
    world.up(100, 0, source=Source("probe", "mail"), name="mail")
    (error,) = world.ruleset.evaluate(KEY, 101).errors.values()
    assert "the same labels" in error


def test_recorded_series_feed_later_rules_and_end_with_what_they_are_made_of():
    world = World("- {record: 'all:up', expr: 'sum(up)', labels: {by: us}}", "- {alert: Down, expr: 'all:up < 1'}")
    world.up(100, 0)
    assert world.evaluate(101) == [(None, FIRING, None)]
    assert world.alert.labels == (("alertname", "Down"), ("by", "us"))
    world.read(115)
    assert world.evaluate(116) == [(FIRING, RESOLVED, Recovery.SERIES_GONE)]


def test_an_alert_on_a_recorded_metric_knows_that_the_source_underneath_failed():
    world = World("- {record: 'all:up', expr: 'sum(up)'}", "- {alert: Down, expr: 'all:up < 1'}")
    world.up(100, 0)
    world.evaluate(101)
    assert world.alert.sources == (UP,)
    world.fail(115)
    assert world.evaluate(500) == [(FIRING, NO_DATA, None)]


def test_pushed_metrics_evaluate_what_depends_on_them_at_once_recording_rules_first():
    world = World()
    world.ruleset = Ruleset(
        groups("""\
            groups:
            - name: alerts
              rules:
              - {alert: Down, expr: "all:up < 1"}
              - {alert: Other, expr: other > 0}
            - name: records
              rules:
              - {record: "all:up", expr: "sum(up)"}
        """),
        world.store,
    )
    world.up(100, 0)
    evaluation = world.ruleset.touched({"up"}, 100)
    assert evaluation.rules == ("r.yml;records;all:up", "r.yml;alerts;Down")
    assert [change.alert.name for change in evaluation.changes] == ["Down"]
    assert world.ruleset.touched({"nothing"}, 100).rules == ()


def test_alerts_are_series_that_end_with_them():
    world = World("- {alert: Down, expr: up == 0, for: 10s}", "- {alert: Several, expr: 'count(ALERTS) > 0'}")

    def shown(at):
        vector = compile_query('ALERTS{alertname="Down"}').instant(world.store, at)
        return [dict(key.labels)["alertstate"] for key in vector.keys]

    world.up(100, 0)
    assert world.evaluate(100) == [(None, PENDING, None), (None, FIRING, None)]
    assert shown(100) == ["pending"]
    world.up(115, 0)
    world.evaluate(115)
    assert shown(115) == ["firing"]
    since = compile_query('ALERTS_FOR_STATE{alertname="Down"}').instant(world.store, 115)
    assert since.values == [100]
    world.up(130, 1)
    world.evaluate(130)
    assert shown(130) == []


def test_a_group_can_be_evaluated_one_rule_at_a_time():
    world = World(DOWN, "- {alert: B, expr: up == 0}")
    world.up(100, 0)
    assert [step.rules for step in world.ruleset.steps(KEY, 101)] == [("r.yml;g;Down",), ("r.yml;g;B",)]


def test_a_group_does_not_undo_what_a_push_has_seen_meanwhile():
    world = World("- {alert: First, expr: up > 1}", DOWN)
    world.up(100, 1)
    world.evaluate(101)
    steps = world.ruleset.steps(KEY, 116)
    next(steps)
    world.up(117, 0)
    assert [change.alert.state for change in world.ruleset.touched({"up"}, 117).changes] == [FIRING]
    assert [step.changes for step in steps] == []
    assert world.alert.state is FIRING


def test_a_group_goes_on_after_the_clock_was_set_back():
    world = firing_world()
    world.ruleset.shift(-50)
    world.up(65, 1)
    assert world.evaluate(66) == [(FIRING, RESOLVED, Recovery.HEALTHY)]


def test_many_alerts_that_end_at_once_are_judged_quickly():
    world = World(DOWN)

    def read(at, value):
        world.read(at, *(("up", value, {"name": str(number)}) for number in range(5000)))

    read(100, 0)
    assert len(world.evaluate(101)) == 5000
    read(115, 1)
    began = time.process_time()
    assert set(world.evaluate(116)) == {(FIRING, RESOLVED, Recovery.HEALTHY)}
    assert time.process_time() - began < 2


def test_a_query_offset_looks_at_the_past():
    world = World(DOWN, head="name: g\n  query_offset: 1m")
    world.up(100, 0)
    assert world.evaluate(120) == []
    assert world.evaluate(160) == [(None, FIRING, None)]


def test_annotations_see_the_name_of_the_metric_and_alerts_do_not_carry_it():
    world = World("- {alert: Down, expr: up == 0, annotations: {all: '{{ $labels }}'}}")
    world.up(100, 0)
    world.evaluate(101)
    assert world.alert.annotations == (("all", "map[__name__:up name:web]"),)
    assert world.alert.labels == (("alertname", "Down"), ("name", "web"))


def test_an_alert_on_other_alerts_ends_with_them():
    world = World(DOWN, "- {alert: Any, expr: 'count(ALERTS{alertname=\"Down\"}) > 0'}")
    world.up(100, 0)
    assert world.evaluate(101) == [(None, FIRING, None), (None, FIRING, None)]
    world.up(115, 1)
    assert [after for _, after, _ in world.evaluate(116)] == [RESOLVED, RESOLVED]


def test_an_alert_on_other_alerts_does_not_wait_for_them_after_a_restart():
    lines = (DOWN, "- {alert: Any, expr: 'count(ALERTS{alertname=\"Down\"}) > 0'}")
    world = World(*lines)
    world.up(100, 0)
    world.evaluate(101)
    reborn = World(*lines)
    reborn.ruleset.restore([alert for alert in world.ruleset.active() if alert.name == "Any"], 200, cutoff=0)
    reborn.up(200, 1)
    assert [after for _, after, _ in reborn.evaluate(201)] == [RESOLVED]


def test_annotations_may_ask_the_store():
    world = World("- {alert: Down, expr: up == 0, annotations: {n: '{{ query `count(up)` | first | value }}'}}")
    world.up(100, 0)
    world.evaluate(101)
    assert world.alert.annotations == (("n", "1"),)


def test_a_step_of_the_clock_moves_timers():
    world = World("- {alert: Down, expr: up == 0, for: 1m}")
    world.up(100, 0)
    world.evaluate(100)
    world.ruleset.shift(3600)
    world.up(3750, 0)
    assert world.evaluate(3759) == []
    assert world.evaluate(3760) == [(PENDING, FIRING, None)]


def test_health_needs_samples_newer_than_the_repair():
    world = firing_world("- {alert: Down, expr: up == 0, keep_firing_for: 1h, labels: {severity: critical}}")
    labels = world.alert.labels

    def health(at):
        return world.ruleset.healthy(world.alert.rule, labels, since=110, at=at).health

    assert health(111) is Health.UNKNOWN
    world.fail(112)
    assert health(113) is Health.UNKNOWN
    world.up(115, 0)
    assert health(116) is Health.UNHEALTHY
    world.up(130, 1)
    assert health(131) is Health.HEALTHY
    assert world.ruleset.healthy("r.yml;g;Nothing", labels, since=110, at=131).health is Health.UNKNOWN


def test_health_is_that_of_the_labels_asked_about():
    world = World(DOWN)
    world.up(100, 1)
    world.up(100, 0, source=Source("probe", "mail"), name="mail")
    asked = {name: world.ruleset.healthy("r.yml;g;Down", (("name", name),), 90, 101).health for name in ("web", "mail")}
    assert asked == {"web": Health.HEALTHY, "mail": Health.UNHEALTHY}


def test_health_of_what_nobody_sees_is_unknown():
    assert World(DOWN).ruleset.healthy("r.yml;g;Down", (), since=0, at=100).health is Health.UNKNOWN


def test_an_expression_of_its_own_can_verify():
    world = World(DOWN)
    query = compile_query('up{name="web"} == 1')
    assert world.ruleset.holds(query, since=90, at=101).health is Health.UNKNOWN
    world.up(100, 1)
    world.fail(100, source=Source("probe", "mail"))
    assert world.ruleset.holds(query, since=90, at=101).health is Health.HEALTHY
    assert world.ruleset.holds(query, since=100, at=101).health is Health.UNKNOWN
    assert world.ruleset.holds(query, since=90, at=101, labels=(("name", "mail"),)).health is Health.UNHEALTHY
    world.up(115, 0)
    assert world.ruleset.holds(query, since=90, at=116).health is Health.UNHEALTHY


def test_the_rules_say_how_much_history_they_need():
    horizons = World("- {alert: A, expr: 'rate(x[1h]) > up'}", "- {alert: B, expr: 'x > 1'}").ruleset.horizons()
    assert horizons["x"] >= 3600
    assert 300 <= horizons["up"] < 3600


runs = st.lists(st.sampled_from(["bad", "good", "gone", "failed", "silent"]), max_size=40)


@given(runs)
def test_whatever_the_source_does_only_a_successful_run_ends_an_alert(story):
    world, at, spoken = World(DOWN), 1000, None
    for what in story:
        at += 60
        if what == "failed":
            world.fail(at)
        elif what == "gone":
            world.read(at)
        elif what != "silent":
            world.up(at, 1 if what == "good" else 0)
        if what not in {"failed", "silent"}:
            spoken = what
        for _before, after, recovery in world.evaluate(at + 1):
            if after is RESOLVED:
                assert {"good": Recovery.HEALTHY, "gone": Recovery.SERIES_GONE}[what] is recovery
        assert (world.alert is not None) == (spoken == "bad")
