"""How the HTTP client of the adapters meets servers that do not behave."""

import base64
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.outgoing import MAX_ANSWER_BYTES
from agent.tickets.contract import TicketError
from agent.tickets.credentials import basic, bearer, nobody
from agent.tickets.registry import ADAPTERS
from agent.tickets.rest import RestClient, checked_url
from tests.agent.tickets.contract_suite import fresh_draft
from tests.agent.tickets.fakes.site import Reply, Request, reply, serving
from tests.services.tls import make_certificates

PASSWORD = "canary-password"
HTML = {"Content-Type": "text/html; charset=utf-8"}


def client(port: int, **changes) -> RestClient:
    options = {
        "url": f"http://127.0.0.1:{port}",
        "timeout_seconds": 60,
        "login": basic("me", Path("p"), lambda _: PASSWORD),
    }
    return RestClient(**(options | changes))


@contextmanager
def always(answer: Reply) -> Iterator[RestClient]:
    with serving(lambda _: answer) as port:
        yield client(port)


def refused(server: RestClient) -> TicketError:
    with pytest.raises(TicketError) as raised:
        server.json("GET", "/anything")
    return raised.value


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 422])
def test_a_client_error_is_permanent(status: int):
    with always(reply(status, {"message": "no"})) as server:
        assert refused(server).permanent


@pytest.mark.parametrize("status", [408, 409, 412, 423, 425, 429, 500, 502, 503, 504])
def test_what_time_can_mend_is_not_permanent(status: int):
    with always(reply(status, {"message": "later"})) as server:
        assert not refused(server).permanent


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "17"}, 17.0),
        ({"Retry-After": "99999999999999999999"}, 3600.0),
        ({"Retry-After": "Sun, 22 Nov 2026 12:00:30 GMT", "Date": "Sun, 22 Nov 2026 12:00:00 GMT"}, 30.0),
        ({"Retry-After": "Sun, 22 Nov 2026 11:00:00 GMT", "Date": "Sun, 22 Nov 2026 12:00:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_heeded_as_a_number_and_as_a_date(headers: dict[str, str], seconds: float | None):
    with always(Reply(status=503, headers=headers)) as server:
        assert refused(server).retry_after == seconds


def test_an_html_page_instead_of_json_is_an_error():
    with always(Reply(body=b"<html>Welcome to the portal</html>", headers=HTML)) as server:
        error = refused(server)
    assert "not JSON" in error.reason
    assert not error.permanent


def test_an_html_error_page_is_not_quoted():
    with always(Reply(status=502, body=b"<html><script>bad gateway</script></html>", headers=HTML)) as server:
        assert refused(server).reason == "answered 502: an HTML page"


def test_an_error_message_is_quoted_on_one_line_and_shortened():
    with always(Reply(status=422, body=b'{"message":\n"no\x1b[31m such\r\nfield ' + b"x" * 5000 + b'"}')) as server:
        reason = refused(server).reason
    assert reason.startswith('answered 422: {"message": "no\\x1b[31m such field xxx')
    assert len(reason) < 250
    assert reason.isprintable()


def test_a_server_that_echoes_our_headers_does_not_get_the_password_into_the_error():
    def echo(request: Request) -> Reply:
        return Reply(status=400, body=f"{request.headers} {PASSWORD}".encode())

    with serving(echo) as port:
        reason = refused(client(port)).reason
        encoded = client(port).login().secrets[1]
    assert PASSWORD not in reason
    assert encoded not in reason


@pytest.mark.parametrize(("status", "permanent"), [(301, True), (308, True), (302, False), (303, False), (307, False)])
def test_a_redirect_is_an_error_and_nobody_else_gets_our_password(status: int, *, permanent: bool):
    visitors: list[Request] = []

    def elsewhere(request: Request) -> Reply:
        visitors.append(request)
        return reply(200, {})

    with serving(elsewhere) as other:
        target = {"Location": f"http://127.0.0.1:{other}/stolen?x=1"}
        with always(Reply(status=status, headers=target)) as server:
            error = refused(server)
    assert visitors == []
    assert error.permanent is permanent
    assert f"answered {status}: redirects to http://127.0.0.1;" in error.reason


def test_an_answer_without_end_is_cut_off():
    with always(Reply(body=b" " * MAX_ANSWER_BYTES)) as server:
        assert "longer than 1 MiB" in refused(server).reason


def test_a_large_answer_is_taken():
    with always(Reply(body=b"[]" + b" " * (MAX_ANSWER_BYTES - 1000))) as server:
        assert server.json("GET", "/") == []


def test_deeply_nested_json_is_an_error_and_no_crash():
    with always(Reply(body=b"[" * 200_000)) as server:
        assert "not JSON" in refused(server).reason


def test_proxies_and_passwords_of_the_environment_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving(lambda request: reply(200, {"sent": request.headers.get("Authorization")})) as port:
        assert client(port, login=nobody).json("GET", "/") == {"sent": None}


def test_a_certificate_must_come_from_the_configured_authority(tmp_path: Path):
    made = make_certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    with serving(lambda _: reply(200, {"hello": 1}), context=context) as port:
        url = f"https://localhost:{port}"
        assert client(port, url=url, ca_file=made.authority).json("GET", "/") == {"hello": 1}
        assert "certificate is not trusted" in refused(client(port, url=url)).reason
        missing = client(port, url=url, ca_file=tmp_path / "nonsuch.pem")
        assert not refused(missing).permanent


@pytest.mark.parametrize(
    "url",
    ["ftp://host", "rt.example.org", "https://", "https://me:pw@host", "https://host/?q=1", "https://host/#a", ""],
)
def test_an_address_that_is_not_plain_http_is_refused(url: str):
    with pytest.raises(ValueError, match="url must"):
        checked_url(url)


def test_a_token_that_no_header_can_carry_is_an_error_that_does_not_show_it():
    login = bearer(Path("token"), lambda _: "canary\nX-Evil: 1")
    with pytest.raises(TicketError, match="no HTTP header can carry") as raised:
        login()
    assert "canary" not in raised.value.reason


OPTIONS = {
    "rt": {"user": "me", "password_file": Path("p")},
    "roundup": {"user": "me", "password_file": Path("p")},
    "redmine": {"project": "operations", "token_file": Path("p")},
    "jira": {"project": "OPS", "user": "me", "token_file": Path("p"), "index_seconds": 0},
    "github": {"project": "a/b", "token_file": Path("p")},
    "gitlab": {"project": "a/b", "token_file": Path("p")},
    "servicenow": {"user": "me", "password_file": Path("p")},
    "zammad": {"customer": "c@example.org", "token_file": Path("p"), "index_seconds": 0},
    "glpi": {"token_file": Path("p")},
    "itop": {"user": "me", "password_file": Path("p"), "organization": "x"},
    "webhook": {"find_url": "", "token_file": Path("p")},
}


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize("status", [200, 401, 500])
def test_no_adapter_lets_a_server_that_echoes_our_headers_put_a_secret_into_the_error(name: str, status: int):
    def echo(request: Request) -> Reply:
        said = " ".join(f"{field}={value}" for field, value in request.headers.items())
        return reply(status, {"code": 100, "message": said})

    with serving(echo) as port:
        url = f"http://127.0.0.1:{port}"
        options = {"url": url, "timeout_seconds": 60} | OPTIONS[name] | ({"find_url": url} if name == "webhook" else {})
        system = ADAPTERS[name].open(ADAPTERS[name].options(**options), lambda _: "canary-0123")
        said = []
        for call in (system.check, lambda: system.find("host:1"), lambda: system.create(fresh_draft())):
            try:
                call()
            except TicketError as error:
                said.append(f"{error!r} {error.reason}")
        assert said or status == 200
        encoded = base64.b64encode(b"me:canary-0123").decode()
        assert not any(secret in text for text in said for secret in ("canary-0123", encoded))
        assert "canary" not in repr(system)


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize(
    "document", [None, [], {}, 7, "x", {"items": [{}]}, {"data": None}, {"data": {"collection": [3]}}]
)
def test_every_adapter_meets_json_of_another_shape_with_a_ticket_error(name: str, document: object):
    with serving(lambda _: reply(200, document)) as port:
        url = f"http://127.0.0.1:{port}"
        options = {"url": url, "timeout_seconds": 60} | OPTIONS[name] | ({"find_url": url} if name == "webhook" else {})
        system = ADAPTERS[name].open(ADAPTERS[name].options(**options), lambda _: PASSWORD)
        if name in ("github", "gitlab", "zammad") and document == []:
            assert system.find("host:1") is None
            return
        with pytest.raises(TicketError):
            system.find("host:1")
