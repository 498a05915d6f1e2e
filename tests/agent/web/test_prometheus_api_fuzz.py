"""Whatever is asked of the query API, it is an answer or the asker's fault, never a bug."""

import time
from urllib.parse import quote, quote_from_bytes, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.sample import Reading, Sample, Source, labels
from rules.series import SeriesStore
from tests.agent.web.daemon import running

NOW = 1_800_000_000.0
PATHS = [
    "query",
    "query_range",
    "series",
    "labels",
    "label/job/values",
    "metadata",
    "rules",
    "alerts",
    "targets",
]
PROBLEMS = {400: {"bad_data"}, 422: {"execution"}, 503: {"timeout", "unavailable"}}

NUMBERS = st.one_of(
    st.sampled_from(["0", "-0", "1", "-1", "1e9", "9e12", "-9e12", "1e300", "-1e300", "1e-300", "NaN", "+Inf", "0x10"]),
    st.floats().map(repr),
    st.integers(-(10**20), 10**20).map(str),
)
EDGES = st.sampled_from([str(NOW), str(NOW - 100.5), "0", "-1", "9e12", "-9e12", "253402300800", "-62135596801"])
TIMES = st.one_of(
    NUMBERS,
    st.just(str(NOW)),
    st.datetimes().map(lambda time_: time_.isoformat() + "Z"),
    st.sampled_from(["0000-00-00T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2027-01-15T08:00:00+99:99", "now"]),
)
DURATIONS = st.one_of(
    NUMBERS,
    st.sampled_from(["1ms", "5m", "1h30m", "1y", "999999999999999999y", "-5m", "1h1h", "m", "0", "0s"]),
)
VECTORS = st.sampled_from(["load", 'load{cpu="0"}', "load offset 1m", '{__name__=~".+"}', "nothing", "vector(time())"])
ODD = st.one_of(NUMBERS, st.sampled_from(["load[1m]", '"text"', "`raw`", "time()"]), st.text(max_size=5))
FUNCTIONS = st.one_of(
    st.sampled_from(
        ["sum", "max by (cpu)", "topk(2,", "count_values('x',", "histogram_quantile(0.9,", "label_replace"]
    ),
    st.sampled_from(["rate", "deriv", "predict_linear", "absent", "sort_desc", "vector", "scalar", "clamp_max", "-"]),
    st.sampled_from(["year", "month", "days_in_month", "hour", "minute", "timestamp"]),
    st.sampled_from(["round", "exp", "ln", "sqrt", "sgn"]),
)
JOINS = st.sampled_from(["+", "-", "*", "/", "%", "^", "==bool", ">", "and", "or", "unless", "atan2", "+ on (cpu)"])
PINNED = st.one_of(
    VECTORS,
    st.tuples(VECTORS, NUMBERS).map(" @ ".join),
    st.tuples(VECTORS, DURATIONS).map(" offset ".join),
    st.tuples(VECTORS, DURATIONS).map(lambda pair: f"rate({pair[0]}[{pair[1]}])"),
)
REPLACED = st.tuples(
    VECTORS, st.text("${}019²٣a_", max_size=9), st.sampled_from(["(.*)", "(?P<a>.)(.*)", "(?a)", "."])
).map(lambda drawn: f"label_replace({drawn[0]}, 'a', '{drawn[1]}', 'cpu', '{drawn[2]}')")
EXPRESSIONS = st.recursive(
    st.one_of(PINNED, PINNED, PINNED, REPLACED, ODD),
    lambda inner: st.one_of(
        st.tuples(FUNCTIONS, inner).map(lambda call: f"{call[0]}({call[1]})" + ")" * call[0].count("(", 4)),
        st.tuples(inner, JOINS, inner).map(" ".join),
        st.tuples(inner, DURATIONS).map(lambda pair: f"deriv(({pair[0]})[{pair[1]}:1m])"),
    ),
    max_leaves=5,
)
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "query": EXPRESSIONS,
        "time": TIMES,
        "start": TIMES,
        "end": TIMES,
        "step": DURATIONS,
        "timeout": st.one_of(st.just("5s"), st.just("1m"), DURATIONS),
        "limit": NUMBERS,
        "lookback_delta": DURATIONS,
        "match[]": st.lists(EXPRESSIONS, max_size=3),
        "type": st.text(max_size=5),
        "rule_name[]": st.text(max_size=5),
        "exclude_alerts": st.text(max_size=5),
        "state": st.text(max_size=5),
        "metric": st.text(max_size=5),
        "limit_per_metric": NUMBERS,
        "stats": st.text(max_size=5),
    },
)
MANY = settings(
    max_examples=settings.default.max_examples * 3 // 2, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    store = SeriesStore(external=labels(job="node"))
    for number in range(20):
        samples = [Sample("load", number * factor, labels(cpu=str(factor))) for factor in range(3)]
        store.append(Reading(source=Source("cpu"), at=NOW - number * 15, samples=samples))
        store.append(Reading(source=Source("now"), at=time.time() - number, samples=[Sample("up", 1.0)]))
    with running(tmp_path_factory.mktemp("web")) as running_daemon:
        running_daemon.backend.store = store
        yield running_daemon


def check(answer):
    assert answer.status in {200, *PROBLEMS}, (answer.status, answer.body)
    if answer.status == 200:
        assert answer.json["status"] == "success"
    else:
        assert answer.json["status"] == "error"
        assert answer.json["errorType"] in PROBLEMS[answer.status]
        assert answer.json["error"]


@MANY
@given(path=st.sampled_from(PATHS), parameters=PARAMETERS)
def test_no_parameters_are_a_bug(daemon, path, parameters):
    encoded = urlencode(parameters, doseq=True, errors="surrogatepass")
    check(daemon.tcp("GET", f"/api/v1/{path}?{encoded}"))


@MANY
@given(expression=EXPRESSIONS, time_=st.one_of(EDGES, EDGES, TIMES))
def test_no_expression_at_any_time_is_a_bug(daemon, expression, time_):
    encoded = urlencode({"query": expression, "time": time_}, errors="surrogatepass").encode()
    check(daemon.tcp("POST", "/api/v1/query", encoded, content_type="application/x-www-form-urlencoded"))


@MANY
@given(
    expression=EXPRESSIONS,
    start=st.one_of(EDGES, EDGES, NUMBERS),
    steps=st.integers(0, 50),
    step=st.sampled_from([0.001, 1.0, 15.0, 1e6, 1e9]),
)
def test_no_range_is_a_bug(daemon, expression, start, steps, step):
    try:
        end = repr(float(start) + steps * step)
    except ValueError:
        end = start
    parameters = urlencode(
        {"query": expression, "start": start, "end": end, "step": repr(step)}, errors="surrogatepass"
    )
    check(daemon.tcp("GET", f"/api/v1/query_range?{parameters}"))


@MANY
@given(raw=st.binary(max_size=60))
def test_no_bytes_are_a_bug(daemon, raw):
    form = {"content_type": "application/x-www-form-urlencoded"}
    check(daemon.tcp("POST", "/api/v1/query", raw, **form))
    check(daemon.tcp("GET", f"/api/v1/query?{quote_from_bytes(raw, safe='&=+%')}"))


@MANY
@given(name=st.text(min_size=1, max_size=10).filter(lambda name: name not in {".", ".."} and "/" not in name))
def test_no_label_name_is_a_bug(daemon, name):
    check(daemon.tcp("GET", f"/api/v1/label/{quote(name, safe='', errors='surrogatepass')}/values"))
