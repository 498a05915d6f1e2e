"""Every route of the table asked with every credential: who gets in, and under which name."""

import asyncio
import base64
import hashlib
import json
from dataclasses import dataclass, field

import pytest

from agent.clock import SystemClock
from agent.web.access import EVERY_SCOPE, Access, AccessError, Need, Peer, Scope, Token, tcp_peer
from agent.web.app import application, full_rows, metrics_rows
from agent.web.caller import Caller
from agent.web.exposition import Exposition
from agent.web.query_thread import QueryThread
from tests.agent.web.daemon import Backend, asked


class Passwords:
    """alice's password is "right"."""

    def any(self):
        return True

    async def accepts(self, authorization):
        return "alice" if authorization.partition(" ")[2] == encoded("alice:right") else ""


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def token(name, *scopes):
    return Token(name=name, scopes=frozenset(scopes), sha256=hashlib.sha256(f"{name}-secret".encode()).hexdigest())


ACCESS = Access(
    tokens=[*(token(scope.value, scope) for scope in Scope), token("all", *Scope)],
    passwords=Passwords(),
    user_scopes=frozenset({Scope.READ}),
    certificate_scopes=frozenset({Scope.READ, Scope.INGEST}),
)
LOCAL, REMOTE = tcp_peer("127.0.0.1"), tcp_peer("192.0.2.7")
SOCKET = Peer(actor="root (uid 0)", loopback=True, socket=True)


@dataclass(frozen=True, slots=True)
class Credential:
    """What a caller shows, what that opens, and what the audit calls it."""

    name: str
    authorization: str = ""
    opens: frozenset = frozenset()
    actor: str = ""
    certificate: str = ""


CREDENTIALS = [
    Credential("nothing"),
    Credential("wrong token", "Bearer wrong"),
    Credential("empty token", "Bearer "),
    Credential("a token as a password", "Basic all-secret"),
    Credential("odd scheme", "Digest all-secret"),
    Credential("read", "Bearer read-secret", frozenset({Scope.READ}), "read"),
    Credential("ingest", "Bearer ingest-secret", frozenset({Scope.INGEST}), "ingest"),
    Credential("operate", "bearer operate-secret", frozenset({Scope.OPERATE}), "operate"),
    Credential("all", "Bearer all-secret", EVERY_SCOPE, "all"),
    Credential("password", f"Basic {encoded('alice:right')}", frozenset({Scope.READ}), "alice"),
    Credential("wrong password", f"Basic {encoded('alice:wrong')}"),
    Credential("certificate", "", frozenset({Scope.READ, Scope.INGEST}), "db1", "db1"),
    Credential("certificate and token", "Bearer operate-secret", frozenset({Scope.OPERATE}), "operate", "db1"),
    Credential("certificate and wrong token", "Bearer wrong", certificate="db1"),
]


@dataclass(slots=True)
class Site:
    """The routes, asked without sockets, so that the caller can come from anywhere."""

    access: Access
    backend: Backend = field(default_factory=Backend)

    def rows(self):
        parts = {"backend": self.backend, "exposition": Exposition(catalog=()), "clock": SystemClock()}
        return full_rows(**parts, caller=Caller(), queries=QueryThread())

    async def ask(self, row, peer, authorization):
        """Return the status."""
        body = json.dumps([{"labels": {"alertname": "A"}}] if row.path == "/api/v2/alerts" else {}).encode()
        headers = [(b"content-type", b"application/json"), (b"authorization", authorization.encode())]
        path = row.path.replace("{id}", "one").replace("{name}", "job")
        return await asked(application([row], self.access), row, path, peer=peer, headers=headers, body=body)


@pytest.fixture
def site():
    return Site(ACCESS)


SCOPE_OF = {Need.READ: Scope.READ, Need.INGEST: Scope.INGEST, Need.OPERATE: Scope.OPERATE}


@pytest.mark.parametrize("peer", [LOCAL, REMOTE, SOCKET], ids=["loopback", "network", "socket"])
@pytest.mark.parametrize("credential", CREDENTIALS, ids=lambda credential: credential.name)
def test_every_route_lets_in_whom_it_should_and_nobody_else(site, credential, peer):
    peer = Peer(**{name: getattr(peer, name) for name in peer.__slots__} | {"certificate": credential.certificate})

    async def walk():
        for row in site.rows():
            done = len(site.backend.commands)
            status = await site.ask(row, peer, credential.authorization)
            is_open = row.need is Need.NOTHING or peer.socket or (peer.loopback and row.need is Need.READ)
            allowed = is_open or SCOPE_OF[row.need] in credential.opens
            assert (status not in {401, 403}) == allowed, (row.method, row.path, status)
            assert status != 401 or not credential.actor, "who is known is told what is missing"
            assert allowed or len(site.backend.commands) == done

    asyncio.run(walk())


def test_whatever_changes_something_needs_operate_or_ingest(site):
    for row in site.rows():
        if row.method != "GET" and not row.path.startswith("/api/v1/"):
            assert row.need in {Need.INGEST, Need.OPERATE}, row


def test_all_that_needs_nothing_is_health(site):
    assert {row.path for row in site.rows() if row.need is Need.NOTHING} == {"/-/healthy", "/-/ready"}
    open_to_all = metrics_rows(backend=None, exposition=None, clock=None)
    assert {row.path for row in open_to_all} == {"/-/healthy", "/-/ready", "/metrics"}


def admitted(access, need, peer, authorization=""):
    return asyncio.run(access.admit(need, peer, authorization)).actor


@pytest.mark.parametrize("credential", [each for each in CREDENTIALS if each.actor], ids=lambda each: each.name)
def test_the_audit_names_the_owner_of_what_was_shown_and_the_address(credential):
    peer = tcp_peer("::ffff:192.0.2.7", credential.certificate)
    need = next(need for need, scope in SCOPE_OF.items() if scope in credential.opens)
    assert admitted(ACCESS, need, peer, credential.authorization) == f"{credential.actor} (192.0.2.7)"


def test_the_audit_names_the_user_of_the_socket():
    assert admitted(ACCESS, Need.OPERATE, SOCKET) == "root (uid 0)"


def test_reading_on_loopback_can_be_closed():
    closed = Access(tokens=ACCESS.tokens, open_read=False)
    with pytest.raises(AccessError, match="needs the scope read"):
        admitted(closed, Need.READ, LOCAL)
    assert admitted(closed, Need.NOTHING, LOCAL)
    assert admitted(closed, Need.READ, SOCKET)


def test_open_ingest_opens_posting_to_loopback_alone():
    opened = Access(tokens=ACCESS.tokens, open_ingest=True)
    assert admitted(opened, Need.INGEST, LOCAL) == "anonymous (127.0.0.1)"
    for need, peer in [(Need.INGEST, REMOTE), (Need.OPERATE, LOCAL)]:
        with pytest.raises(AccessError):
            admitted(opened, need, peer)


def test_a_secret_file_that_is_empty_or_gone_lets_nobody_in(tmp_path):
    file = tmp_path / "token"
    access = Access(tokens=[Token(name="t", scopes=EVERY_SCOPE, secret_file=file)])
    for text in (None, "", "\n"):
        if text is not None:
            file.write_text(text)
        with pytest.raises(AccessError, match="show its token"):
            admitted(access, Need.OPERATE, LOCAL, "Bearer ")
    file.write_text("new\n")
    assert admitted(access, Need.OPERATE, LOCAL, "Bearer new") == "t (127.0.0.1)"


def test_one_that_is_known_but_may_not_is_told_what_it_lacks():
    with pytest.raises(AccessError, match="needs the scope operate, which ingest does not have") as caught:
        admitted(ACCESS, Need.OPERATE, REMOTE, "Bearer ingest-secret")
    assert caught.value.status == 403


def test_the_challenge_asks_for_a_password_where_one_would_do():
    for need, challenge in [(Need.READ, 'Basic realm="paramedic"'), (Need.OPERATE, "Bearer")]:
        with pytest.raises(AccessError) as caught:
            admitted(ACCESS, need, REMOTE)
        assert (caught.value.status, caught.value.headers["www-authenticate"]) == (401, challenge)
