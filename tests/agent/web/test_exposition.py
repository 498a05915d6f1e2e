"""/metrics, read back by the reference parsers."""

import math
from dataclasses import replace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from agent.telemetry.metrics import QUEUE_LENGTH, REGISTRY
from agent.web.exposition import Exposition, chosen
from agent.web.lines import Dialect
from collectors.sample import Failure, Metric, MetricType, Reading, Sample, Source, counter, gauge, labels, untyped
from rules.alert import Alert, AlertState
from rules.series import SeriesStore

NOW = 1_800_000_000.0
EXTERNAL = labels(instance="web1", job="node")
CATALOG = (
    gauge("node_load1", "1m load\naverage \\ mean."),
    counter("node_cpu_seconds_total", "Seconds."),
    counter("node_odd_counter", "A counter without its suffix."),
    untyped("node_vmstat_pgfault", "Faults."),
    Metric("app_seconds", MetricType.HISTOGRAM, "How long."),
)
OPEN_METRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


def store_of(*samples, source="cpu", at=NOW, store=None):
    store = store or SeriesStore(external=EXTERNAL)
    store.append(Reading(source=Source(source), at=at, samples=samples))
    return store


def rendered(store, accept="", alerts=(), now=NOW, exposition=None):
    exposition = exposition or Exposition(catalog=CATALOG, external=EXTERNAL)
    return exposition.render(accept, store, alerts, now)[0].decode()


def host_part(text):
    """The lines that are not about paramedic itself."""
    own = ("paramedic_", "prometheus_rule_group_", "# EOF")
    return [line for line in text.splitlines() if not any(word in line for word in own)]


SAMPLES = (
    Sample("node_load1", 0.25),
    Sample("node_cpu_seconds_total", 12.0, labels(cpu="0", mode="idle")),
    Sample("node_cpu_seconds_total", 3.5, labels(cpu="0", mode="user")),
    Sample("node_odd_counter", 7.0),
    Sample("node_vmstat_pgfault", 1e22),
    Sample("app_seconds_bucket", 1.0, labels(le="1")),
    Sample("app_seconds_bucket", 2.0, labels(le="+Inf")),
    Sample("app_seconds_sum", 1.5),
    Sample("app_seconds_count", 2.0),
    Sample("unknown_metric", math.inf, labels(path='a\\b"c\nd')),
)


def test_plain_text_has_heads_labels_and_values_without_the_labels_that_prometheus_adds():
    assert host_part(rendered(store_of(*SAMPLES))) == [
        "# HELP app_seconds How long.",
        "# TYPE app_seconds histogram",
        'app_seconds_bucket{le="1"} 1.0',
        'app_seconds_bucket{le="+Inf"} 2.0',
        "app_seconds_count 2.0",
        "app_seconds_sum 1.5",
        "# HELP node_cpu_seconds_total Seconds.",
        "# TYPE node_cpu_seconds_total counter",
        'node_cpu_seconds_total{cpu="0",mode="idle"} 12.0',
        'node_cpu_seconds_total{cpu="0",mode="user"} 3.5',
        "# HELP node_load1 1m load\\naverage \\\\ mean.",
        "# TYPE node_load1 gauge",
        "node_load1 0.25",
        "# HELP node_odd_counter A counter without its suffix.",
        "# TYPE node_odd_counter counter",
        "node_odd_counter 7.0",
        "# HELP node_vmstat_pgfault Faults.",
        "# TYPE node_vmstat_pgfault untyped",
        "node_vmstat_pgfault 1e+22",
        "# TYPE unknown_metric untyped",
        'unknown_metric{path="a\\\\b\\"c\\nd"} +Inf',
    ]


def test_openmetrics_passes_the_strict_parser_and_says_the_same():
    text = rendered(store_of(*SAMPLES), OPEN_METRICS)
    families = {family.name: family for family in parse_openmetrics(text)}
    assert families["node_cpu_seconds"].type == "counter"
    assert families["node_odd_counter"].type == "unknown"
    assert families["app_seconds"].type == "histogram"
    assert families["unknown_metric"].samples[0].labels == {"path": 'a\\b"c\nd'}
    assert {sample.value for sample in families["node_load1"].samples} == {0.25}
    assert text.endswith("# EOF\n")
    assert text.count("# EOF") == 1


def test_plain_text_passes_the_reference_parser():
    families = {family.name: family for family in parse_text(rendered(store_of(*SAMPLES)))}
    assert families["node_load1"].samples[0].value == 0.25
    assert families["unknown_metric"].samples[0].labels == {"path": 'a\\b"c\nd'}


def test_no_family_appears_twice_although_the_store_holds_our_own_metrics_too():
    store = store_of(*SAMPLES)
    store_of(Sample("paramedic_queue_length", 1.0, labels(kind="x")), source="self", store=store)
    store_of(Sample("paramedic_queue_length", 1.0, labels(kind="forged")), source="textfile", store=store)
    store_of(Sample("ALERTS", 1.0, labels(alertname="A")), source="alerts", store=store)
    store_of(Sample("job:up", 1.0), source="rules", store=store)
    text = rendered(store)
    heads = [line for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(heads) == len(set(heads))
    assert "ALERTS" not in text
    assert "job:up" not in text
    assert "forged" not in text


def test_what_is_scraped_is_left_to_its_own_exporters():
    assert host_part(rendered(store_of(Sample("jobs_total", 1.0), source="scrape"))) == []
    assert host_part(rendered(store_of(Sample("up", 0.0), source="scrape_outcome"))) == []


def test_up_is_left_to_those_who_scrape_us():
    assert host_part(rendered(store_of(Sample("up", 1.0), source="up"))) == []


def test_our_own_metrics_come_from_the_registry_without_creation_times():
    QUEUE_LENGTH.labels(kind="readings").set(3)
    text = rendered(SeriesStore())
    assert 'paramedic_queue_length{kind="readings"} 3.0' in text
    assert "_created" not in text
    assert "_created" not in rendered(SeriesStore(), OPEN_METRICS)
    assert {family.name for family in REGISTRY.collect()} <= {
        family.name.removesuffix("_total") for family in parse_text(text)
    }


def test_a_series_that_ended_disappears_and_comes_back_with_its_next_sample():
    exposition = Exposition(catalog=CATALOG, external=EXTERNAL)
    store = store_of(*SAMPLES)
    assert "node_load1 0.25" in rendered(store, exposition=exposition)
    store_of(*SAMPLES[1:], at=NOW + 15, store=store)
    text = rendered(store, exposition=exposition)
    assert "node_load1" not in text
    assert 'mode="idle"' in text
    store_of(*SAMPLES, at=NOW + 30, store=store)
    assert "node_load1 0.25" in rendered(store, exposition=exposition)


def test_new_values_and_new_series_show_at_once():
    exposition = Exposition(catalog=CATALOG, external=EXTERNAL)
    store = store_of(Sample("node_load1", 1.0))
    rendered(store, exposition=exposition)
    store_of(Sample("node_load1", 2.0), at=NOW + 15, store=store)
    assert "node_load1 2.0\n" in rendered(store, exposition=exposition)
    store_of(Sample("node_load1", 3.0), Sample("node_new", 4.0), at=NOW + 30, store=store)
    text = rendered(store, exposition=exposition)
    assert "node_load1 3.0\n" in text
    assert "node_new 4.0\n" in text


def test_values_of_a_source_that_fails_for_long_are_not_repeated():
    store = store_of(*SAMPLES)
    store.fail(Failure(source=Source("cpu"), at=NOW + 290, reason="broken"))
    assert "node_load1 0.25" in rendered(store, now=NOW + 299)
    assert "node_load1" not in rendered(store, now=NOW + 301)


def test_nan_is_shown_and_the_mark_of_an_end_is_not():
    assert "node_load1 NaN" in rendered(store_of(Sample("node_load1", math.nan)))
    assert "node_load1 -Inf" in rendered(store_of(Sample("node_load1", -math.inf)))


def alert(state, **pairs):
    return Alert(
        fingerprint="f",
        rule="r",
        rule_version="1",
        labels=labels(alertname="Down", **pairs),
        annotations=(),
        state=state,
        value=1.0,
        active_at=NOW,
    )


@pytest.mark.parametrize("accept", ["", OPEN_METRICS])
def test_alert_states_are_shown_with_their_labels(accept):
    alerts = (alert(AlertState.FIRING, unit='a"b', instance="web1"), alert(AlertState.NO_DATA, unit="c"))
    text = rendered(SeriesStore(), accept, alerts)
    assert 'paramedic_alert_state{alertname="Down",alertstate="firing",unit="a\\"b"} 1\n' in text
    assert 'paramedic_alert_state{alertname="Down",alertstate="no_data",unit="c"} 1\n' in text
    assert list(parse_openmetrics(text)) if accept else list(parse_text(text))


@pytest.mark.parametrize("accept", ["", OPEN_METRICS])
def test_label_names_that_the_format_does_not_have_cannot_break_the_page(accept):
    odd = [
        replace(alert(AlertState.FIRING), labels=(("1st", "a"), ("alertname", "A"), (name, "b")))
        for name in ("a.b", "a-b", "__name__", "é", 'x="')
    ]
    text = rendered(SeriesStore(), accept, odd)
    assert 'paramedic_alert_state{_1st="a",a_b="b",alertname="A",alertstate="firing"} 1\n' in text
    assert text.count('a_b="b"') == 1
    assert list(parse_openmetrics(text)) if accept else list(parse_text(text))


@pytest.mark.parametrize(
    ("accept", "dialect"),
    [
        ("", Dialect.TEXT),
        ("*/*", Dialect.TEXT),
        ("text/plain", Dialect.TEXT),
        (OPEN_METRICS, Dialect.OPEN),
        ("application/openmetrics-text; version=1.0.0; q=0.2, text/plain; q=0.5", Dialect.TEXT),
        ("application/openmetrics-text;q=0", Dialect.TEXT),
        ("application/openmetrics-text;q=odd,,;;", Dialect.TEXT),
    ],
)
def test_the_accept_header_chooses_the_format(accept, dialect):
    assert chosen(accept) is dialect


def test_a_metric_that_is_scraped_elsewhere_too_is_shown_as_it_is_here():
    store, page = SeriesStore(), Exposition(catalog=CATALOG)
    store_of(Sample("node_load1", 1.0, labels(instance="far")), source="scrape", store=store)
    assert "node_load1" not in rendered(store, exposition=page)
    store_of(Sample("node_load1", 2.0), source="loadavg", store=store)
    text = rendered(store, exposition=page)
    assert "node_load1 2.0" in text
    assert "far" not in text
