"""Whatever is sent to any route is answered, and never with an error of ours."""

import asyncio
import gzip
import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.clock import SystemClock
from agent.web.access import Access, Peer
from agent.web.app import application, full_rows
from agent.web.caller import Caller
from agent.web.exposition import Exposition
from agent.web.query_thread import QueryThread
from tests.agent.web.daemon import Backend, asked

SOCKET = Peer(actor="root (uid 0)", loopback=True, socket=True)
TEXT = st.text(max_size=12) | st.sampled_from(["one", "up", "1", "-1", "1e9", "NaN", "true", "a=b", "../x", "\0"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
KEYS = [
    *("labels", "annotations", "startsAt", "endsAt", "alerts", "status", "matchers", "createdBy", "comment", "reason"),
    *("seconds", "until_seconds", "id", "name", "value", "isRegex", "isEqual", "specversion", "type", "source", "data"),
]
KNOWN = st.dictionaries(st.sampled_from(KEYS), JSON, max_size=5)
BODIES = (
    st.binary(max_size=60)
    | (JSON | KNOWN | st.lists(KNOWN, max_size=3)).map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=60).map(gzip.compress)
)
TYPES = ["application/json", "application/x-www-form-urlencoded", "application/cloudevents+json", "text/plain", ""]
HEADERS = st.fixed_dictionaries(
    {"content-type": st.sampled_from(TYPES) | TEXT},
    optional={
        "content-encoding": st.sampled_from(["gzip", "identity", "br"]),
        "authorization": TEXT,
        "accept": TEXT,
        "ce-specversion": TEXT,
        "ce-type": TEXT,
    },
)
# No `timeout`: whoever gives a query no time gets a 503, as from Prometheus.
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(["query", "time", "start", "end", "step", "limit", "state", "match[]", "filter", "receiver"])
        | TEXT,
        TEXT,
    ),
    max_size=4,
)


@pytest.fixture(scope="module")
def site():
    backend, caller, queries = Backend(), Caller(), QueryThread()
    parts = {"backend": backend, "exposition": Exposition(catalog=()), "clock": SystemClock()}
    rows = full_rows(**parts, caller=caller, queries=queries)
    yield rows, application(rows, Access())
    caller.close()
    queries.close()


@settings(max_examples=settings.default.max_examples * 5)
@given(data=st.data())
def test_any_request_to_any_route_is_answered_and_never_with_an_error_of_ours(site, data):
    rows, app = site
    row = data.draw(st.sampled_from(rows))
    name = data.draw(TEXT.filter(lambda text: text and "/" not in text))
    path = row.path.replace("{id}", name).replace("{name}", name)
    body = data.draw(BODIES) if row.method != "GET" else b""
    query = "&".join(f"{quote(key)}={quote(value)}" for key, value in data.draw(QUERIES))
    headers = [
        (key.encode(), value.encode(errors="surrogateescape").replace(b"\n", b"").replace(b"\0", b""))
        for key, value in data.draw(HEADERS).items()
    ]
    status = asyncio.run(asked(app, row, path, peer=SOCKET, query=query, headers=headers, body=body))
    assert 200 <= status < 500, (row.method, path)
