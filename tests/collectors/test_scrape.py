"""Scraping real servers: what arrives, under which labels, and what is refused."""

import gzip
import tracemalloc

import pytest

from collectors import scrape
from collectors.sample import Origin, Sample, labels
from collectors.scrape import ScrapeOptions, ScrapeTarget
from collectors.spec import CollectError, Outcome
from tests.services.exporter import running_exporter

PAGE = b'# TYPE jobs_total counter\njobs_total{queue="a"} 3\njobs_total{queue="b"} 4\nbusy 1\n'


@pytest.fixture
def exporter():
    with running_exporter(PAGE) as server:
        yield server


def options(exporter, *, path="", most=1 << 20, timeout=60, **more):
    target = ScrapeTarget(job="jobs", url=f"http://{exporter.address}{path}", **more)
    return ScrapeOptions(targets=(target,), max_body_bytes=most, timeout_seconds=timeout)


def scraped(chosen):
    (target,) = scrape.targets(chosen)
    return tuple(scrape.collect(chosen, target))


def test_every_series_gets_job_instance_and_the_labels_of_its_target(exporter):
    chosen = options(exporter, instance="here", labels={"zone": "b", "unset": ""})
    assert scraped(chosen) == (
        Sample("jobs_total", 3.0, labels(instance="here", job="jobs", queue="a", zone="b")),
        Sample("jobs_total", 4.0, labels(instance="here", job="jobs", queue="b", zone="b")),
        Sample("busy", 1.0, labels(instance="here", job="jobs", zone="b")),
    )


def test_the_instance_is_host_and_port_unless_it_is_given(exporter):
    assert scrape.targets(options(exporter)) == [f"jobs {exporter.address}"]
    assert dict(scraped(options(exporter))[0].labels)["instance"] == exporter.address


def test_labels_in_the_way_of_the_targets_are_kept_under_another_name(exporter):
    exporter.body = b'up_to{job="theirs",exported_instance="x",instance="theirs"} 1\n'
    (sample,) = scraped(options(exporter, instance="here"))
    assert sample.labels == labels(
        exported_exported_instance="theirs", exported_instance="x", exported_job="theirs", instance="here", job="jobs"
    )


def test_the_page_is_asked_for_at_its_usual_path_unless_there_is_another(exporter):
    scraped(options(exporter))
    scraped(options(exporter, path="/own?module=x"))
    assert [path for path, _ in exporter.seen] == ["/metrics", "/own?module=x"]
    assert "text/plain" in exporter.seen[0][1]["Accept"]


def test_a_packed_page_is_unpacked(exporter):
    exporter.body, exporter.headers = gzip.compress(PAGE), {"Content-Encoding": "gzip"}
    assert [sample.value for sample in scraped(options(exporter))] == [3.0, 4.0, 1.0]
    assert exporter.seen[0][1]["Accept-Encoding"] == "gzip"


def test_series_that_come_and_go_are_read_anew(exporter):
    chosen = options(exporter)
    scraped(chosen)
    exporter.body = b'jobs_total{queue="b"} 5\njobs_total{queue="c"} 6\n'
    assert [(dict(sample.labels)["queue"], sample.value) for sample in scraped(chosen)] == [("b", 5.0), ("c", 6.0)]


def test_texts_of_series_that_are_no_more_are_not_remembered_for_ever(exporter):
    chosen = options(exporter, instance="forgetful")
    known = scrape._known((("instance", "forgetful"), ("job", "jobs")))
    for number in range(4):
        exporter.body = b"".join(b'request{id="%d-%d"} 1\n' % (number, each) for each in range(500))
        scraped(chosen)
        assert len(known) <= 2 * 500 + scrape.FORGOTTEN


def answers(**fields):
    return lambda exporter: [setattr(exporter, name, value) for name, value in fields.items()]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (answers(status=500), "status 500"),
        (answers(status=302, headers={"Location": "http://127.0.0.1:1/"}), "status 302"),
        (answers(body=b"busy one\n"), "line 1"),
        (answers(body=b"busy 1\nbusy 2\n"), "twice"),
        (answers(body=b"\xff 1\n"), "UTF-8"),
        (answers(body=b"x" * (1 << 20) + b"x 1\n"), "larger than 1048576 bytes"),
        (answers(body=gzip.compress(b"\n" * (2 << 20)), headers={"Content-Encoding": "gzip"}), "larger than"),
        (answers(body=gzip.compress(PAGE)[:-9], headers={"Content-Encoding": "gzip"}), "cut short"),
        (answers(body=b"no gzip", headers={"Content-Encoding": "gzip"}), "incorrect header"),
        (answers(length=1000), "cut short"),
    ],
)
def test_what_is_no_page_of_metrics_is_a_failure_that_says_why(exporter, spoil, reason):
    spoil(exporter)
    with pytest.raises(CollectError, match=reason):
        scraped(options(exporter))


def test_a_bomb_is_not_unpacked_further_than_the_limit(exporter):
    exporter.body, exporter.headers = gzip.compress(b"\n" * 50_000_000), {"Content-Encoding": "gzip"}
    tracemalloc.start()
    try:
        with pytest.raises(CollectError, match="larger than"):
            scraped(options(exporter))
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most_bytes < 10 << 20


def test_nobody_there_is_a_failure():
    with running_exporter(PAGE) as server:
        chosen = options(server)
    with pytest.raises(CollectError, match="refused"):
        scraped(chosen)


def test_an_outcome_tells_of_good_and_bad_runs_under_the_targets_labels():
    chosen = ScrapeOptions(targets=(ScrapeTarget(job="jobs", url="http://127.0.0.1:9", labels={"zone": "b"}),))
    own = labels(instance="127.0.0.1:9", job="jobs", zone="b")
    (target,) = scrape.targets(chosen)
    good = scrape.outcome(chosen, target, Outcome(succeeded=True, seconds=0.25, samples=7))
    bad = scrape.outcome(chosen, target, Outcome(succeeded=False, seconds=0.5, samples=0))
    assert [*good, *bad] == [
        Sample("up", 1.0, own),
        Sample("scrape_duration_seconds", 0.25, own),
        Sample("scrape_samples_scraped", 7.0, own),
        Sample("up", 0.0, own),
        Sample("scrape_duration_seconds", 0.5, own),
        Sample("scrape_samples_scraped", 0.0, own),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"job": ""},
        {"url": "ftp://127.0.0.1/"},
        {"url": "http://me:secret@127.0.0.1/"},
        {"labels": {"job": "other"}},
        {"labels": {"__name__": "x"}},
        {"labels": {"a-b": "x"}},
    ],
)
def test_targets_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=r"job|URL|label"):
        ScrapeTarget(**({"job": "jobs", "url": "http://127.0.0.1:9/"} | wrong))


def test_two_targets_of_one_job_and_instance_are_refused():
    target = ScrapeTarget(job="jobs", url="http://127.0.0.1:9/")
    with pytest.raises(ValueError, match="two targets"):
        ScrapeOptions(targets=(target, target))


def test_scraped_samples_are_no_word_of_our_own():
    assert scrape.SPEC.origin is Origin.SCRAPE


def test_a_token_is_shown_to_the_exporter_and_read_anew_each_time(exporter, tmp_path):
    token = tmp_path / "token"
    chosen = options(exporter, token_file=token)
    for secret in ("one", "two"):
        token.write_text(f"{secret}\n")
        scraped(chosen)
    assert [headers["Authorization"] for _, headers in exporter.seen] == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize("content", [None, b"", b"a\r\nX: y", b"\xff", "\u00e9".encode()])
def test_without_a_token_that_can_be_shown_nothing_is_asked_and_the_reason_holds_no_secret(exporter, tmp_path, content):
    token = tmp_path / "token"
    if content is not None:
        token.write_bytes(content)
    with pytest.raises(CollectError, match="token") as failure:
        scraped(options(exporter, token_file=token))
    assert exporter.seen == []
    assert "X: y" not in str(failure.value)
