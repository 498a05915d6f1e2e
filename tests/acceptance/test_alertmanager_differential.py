"""Filters, flags and receivers: a real Alertmanager that was told the same answers the same to each."""

import itertools
import json
import time
from urllib.parse import quote

import pytest
import requests

from agent.incidents.inhibition import Inhibition
from agent.intake.silences import parse
from collectors.sample import labels
from rules import matchers
from rules.alert import Alert, AlertState
from tests.agent.web.daemon import running
from tests.services.prometheus import running_alertmanager
from tests.services.service import eventually

CONFIG = """
route: {receiver: paramedic, group_by: [alertname]}
receivers: [{name: paramedic}]
inhibit_rules: [{source_matchers: [alertname="Down"], target_matchers: [alertname="Slow"], equal: [host]}]
"""
INHIBITION = Inhibition(
    name="down",
    source=matchers.parse_all("{alertname=Down}"),
    target=matchers.parse_all("{alertname=Slow}"),
    equal=("host",),
)
ALERTS = [
    {"alertname": "Down", "host": "a", "severity": "critical"},
    {"alertname": "Slow", "host": "a"},
    {"alertname": "Slow", "host": "b"},
    {"alertname": "Full", "host": "c", "path": 'a\\b"c'},
    {"alertname": "ümlaut", "x": "日本"},
    {"host": "unnamed", "severity": "critical"},
]
SILENCES = [
    [("alertname", "Full", False, True)],
    [("host", "nobody", False, True), ("team", "db|web", True, True)],
    [("alertname", "nothing", False, True), ("host", "a", False, False)],
    [("host", "x|y", True, True), ("host", "z", True, False)],
]
FILTERS = r"""alertname="Slow"
alertname=""
alertname!=""
alertname=Slow
alertname = Slow
alertname=~"Do.*|Full"
alertname=~"(?i)down"
alertname=ümlaut
x=日本
path="a\\b\"c"
host!=a
host!~".+"
host=""
host=
host!=
host=nobody
host=~nobody
host!=nobody
host=~"x|y"
host!~z
host!=z
team=~"db|web"
team="db|web"
team=~"db"
{alertname=Slow}
{alertname=Slow,host=a}
alertname
=x
alertname=~"("
a-b=c"""
FLAGS = ["&".join(f"{name}={value}" for name, value in zip(("active", "silenced", "inhibited"), values, strict=True))
         for values in itertools.product(("true", "false"), repeat=3)]  # fmt: skip
RECEIVERS = ["paramedic", "para", "para.*", "x", "("]
QUERIES = [
    *(
        f"{path}?filter={quote(text)}"
        for path in ("alerts", "alerts/groups", "silences")
        for text in FILTERS.splitlines()
    ),
    *(f"{path}?{flags}" for path in ("alerts", "alerts/groups") for flags in FLAGS),
    *(f"{path}?receiver={quote(pattern)}" for path in ("alerts", "alerts/groups") for pattern in RECEIVERS),
    *(f"{path}?filter=alertname%3DSlow&filter=host%3Da" for path in ("alerts", "alerts/groups")),
    *("alerts", "alerts/groups", "silences", "receivers"),
]


def silence(number, wanted):
    names = ("name", "value", "isRegex", "isEqual")
    return {
        "matchers": [dict(zip(names, each, strict=True)) for each in wanted],
        "startsAt": "2020-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00Z",
        "createdBy": "ann",
        "comment": f"number {number}",
    }


@pytest.fixture(scope="module")
def alertmanager():
    """A real Alertmanager that was told everything."""
    with running_alertmanager(CONFIG) as server:
        api = f"{server.url}/api/v2"
        for number, wanted in enumerate(SILENCES):
            requests.post(f"{api}/silences", json=silence(number, wanted), timeout=30).raise_for_status()
        requests.post(f"{api}/alerts", json=[{"labels": each} for each in ALERTS], timeout=30).raise_for_status()
        # It notices by and by what is silenced and inhibited.
        quiet = f"{api}/alerts?active=false"
        eventually(lambda: len(requests.get(quiet, timeout=30).json()) == 2)
        yield api


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """Our API over the same."""
    now = time.time()
    with running(tmp_path_factory.mktemp("web")) as daemon:
        backend = daemon.backend
        backend.listed = tuple(
            Alert(
                fingerprint=str(number),
                rule="r",
                rule_version="1",
                labels=labels(**each),
                annotations=(),
                state=AlertState.FIRING,
                value=1.0,
                active_at=now,
            )
            for number, each in enumerate(ALERTS)
        )
        backend.muting.configure([], [INHIBITION])
        backend.muting.note(backend.listed, now)
        for number, wanted in enumerate(SILENCES):
            made = parse(json.dumps(silence(number, wanted) | {"id": str(number)}).encode())
            backend.muting.place([made])
        host, port = daemon.address
        yield f"http://{host}:{port}/api/v2"


def essence(answer):
    """Return the status and what does not differ by its nature, such as ids and times."""
    if answer.status_code != 200:
        return answer.status_code
    return sorted(json.dumps(_essence(each), sort_keys=True) for each in answer.json())


def _essence(each):
    if "alerts" in each:
        return each["labels"], each["receiver"]["name"], sorted(json.dumps(_essence(one)) for one in each["alerts"])
    if "matchers" in each:
        return each["comment"], each["createdBy"], each["status"]["state"]
    if "labels" not in each:
        return each
    status = each["status"]
    return sorted(each["labels"].items()), status["state"], len(status["silencedBy"]), len(status["inhibitedBy"])


@pytest.mark.parametrize("query", QUERIES)
def test_an_alertmanager_answers_the_same(alertmanager, ours, query):
    theirs = essence(requests.get(f"{alertmanager}/{query}", timeout=30))
    assert essence(requests.get(f"{ours}/{query}", timeout=30)) == theirs
