"""Probes against real sockets: what answers, what does not, and what answers wrongly."""

import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager, suppress

import pytest

from collectors import probe_http, probe_tcp
from collectors.probe_http import HttpOptions, HttpTarget
from collectors.probe_tcp import TcpOptions, TcpTarget
from collectors.spec import CollectError
from tests.services.service import free_port


@contextmanager
def server(answer):
    """Listen on a free port and answer each connection with `answer(connection)`."""
    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if done.is_set():
                connection.close()
                return
            with connection:
                answer(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    port = listener.getsockname()[1]
    try:
        yield port
    finally:
        done.set()
        socket.create_connection(("127.0.0.1", port)).close()
        thread.join(60)
        listener.close()


def http_answer(head, body=b""):
    def answer(connection):
        seen.append(connection.recv(4096))
        connection.sendall(head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    seen = answer.seen = []
    return answer


def silence(connection):
    connection.recv(4096)
    connection.recv(4096)


def probed_tcp(address, timeout_seconds=60.0):
    options = TcpOptions(targets=(TcpTarget(name="service", address=address),), timeout_seconds=timeout_seconds)
    return list(probe_tcp.collect(options, "service"))


def probed_http(url, timeout_seconds=60.0, max_body_bytes=1000, **expected):
    options = HttpOptions(
        targets=(HttpTarget(name="web", url=url, **expected),),
        timeout_seconds=timeout_seconds,
        max_body_bytes=max_body_bytes,
    )
    return {sample.name: sample.value for sample in probe_http.collect(options, "web")}


def test_a_service_that_takes_connections_is_up():
    with server(lambda _: None) as port:
        success, duration = probed_tcp(f"127.0.0.1:{port}")
    assert (success.name, success.value) == ("probe_success", 1)
    assert dict(success.labels) == {"probe": "service", "target": f"127.0.0.1:{port}"}
    assert duration.name == "probe_duration_seconds"
    assert duration.value > 0


def test_a_closed_port_is_down_and_no_fault_of_the_collector():
    assert probed_tcp(f"127.0.0.1:{free_port()}")[0].value == 0


def test_a_name_that_cannot_be_one_is_down():
    assert probed_tcp(f"{'x' * 70}.invalid:80")[0].value == 0


def test_every_configured_address_is_a_target():
    options = TcpOptions(targets=(TcpTarget(name="a", address="[::1]:22"), TcpTarget(name="b", address="h:1")))
    assert list(probe_tcp.targets(options)) == ["a", "b"]
    with pytest.raises(CollectError, match="'c'"):
        list(probe_tcp.collect(options, "c"))


@pytest.mark.parametrize("address", ["host", "host:", ":80", "host:http", "host:0", "host:65536", ""])
def test_an_address_is_host_and_port(address):
    with pytest.raises(ValueError, match="host:port"):
        TcpTarget(name="x", address=address)


def test_brackets_of_an_ipv6_address_are_not_part_of_it():
    assert probe_tcp.split_address("[::1]:80") == ("::1", 80)


def test_two_probes_of_one_name_are_refused():
    twin = TcpTarget(name="x", address="h:1")
    with pytest.raises(ValueError, match="two targets are named 'x'"):
        TcpOptions(targets=(twin, twin))


def test_a_page_with_status_2xx_is_up_and_its_query_is_not_shown():
    answer = http_answer(b"HTTP/1.1 204 No Content")
    with server(answer) as port:
        options = HttpOptions(targets=(HttpTarget(name="web", url=f"http://127.0.0.1:{port}/health?token=secret"),))
        samples = list(probe_http.collect(options, "web"))
    assert [(sample.name, sample.value) for sample in samples if "duration" not in sample.name] == [
        ("probe_success", 1),
        ("probe_http_status_code", 204),
    ]
    assert dict(samples[0].labels) == {"probe": "web", "target": f"http://127.0.0.1:{port}/health"}
    assert answer.seen[0].startswith(b"GET /health?token=secret HTTP/1.1\r\n")


def test_a_status_that_was_not_expected_is_down():
    with server(http_answer(b"HTTP/1.1 503 Service Unavailable")) as port:
        found = probed_http(f"http://127.0.0.1:{port}/")
        assert (found["probe_success"], found["probe_http_status_code"]) == (0, 503)
        assert probed_http(f"http://127.0.0.1:{port}/", expected_status=(401, 503))["probe_success"] == 1


def test_a_redirect_is_not_followed():
    elsewhere = http_answer(b"HTTP/1.1 200 OK")
    with (
        server(elsewhere) as other,
        server(http_answer(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/" % other)) as port,
    ):
        found = probed_http(f"http://127.0.0.1:{port}/")
    assert (found["probe_success"], found["probe_http_status_code"]) == (0, 302)
    assert not elsewhere.seen


def test_text_must_be_in_the_beginning_of_the_body():
    with server(http_answer(b"HTTP/1.1 200 OK", b"." * 900 + b"ready" + b"." * 5000 + b"late")) as port:
        assert probed_http(f"http://127.0.0.1:{port}", contains="ready")["probe_success"] == 1
        assert probed_http(f"http://127.0.0.1:{port}", contains="late")["probe_success"] == 0


def test_a_server_that_says_nothing_is_down_after_the_time_out():
    with server(silence) as port:
        found = probed_http(f"http://127.0.0.1:{port}/", timeout_seconds=0.1)
    assert (found["probe_success"], found["probe_http_status_code"]) == (0, 0)
    assert found["probe_duration_seconds"] >= 0.1


@pytest.mark.parametrize(
    "beginning", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"]
)
def test_a_server_that_drips_is_down_after_the_time_out(beginning):
    def drip(connection):
        connection.settimeout(0.05)
        connection.sendall(beginning)
        with suppress(OSError):
            while True:
                # A pause that ends early when the other side has gone.
                with suppress(TimeoutError):
                    if not connection.recv(4096):
                        return
                connection.sendall(b".")

    with server(drip) as port:
        found = probed_http(f"http://127.0.0.1:{port}/", timeout_seconds=0.3)
    assert found["probe_success"] == 0
    assert found["probe_duration_seconds"] >= 0.3


def test_the_time_of_a_probe_is_shared_by_all_addresses_of_a_host():
    with pytest.raises(TimeoutError):
        probe_tcp.connect("localhost", 1, deadline=0.0)


def test_an_answer_that_is_not_http_is_down():
    with server(lambda connection: connection.sendall(b"220 smtp ready\r\n")) as port:
        found = probed_http(f"http://127.0.0.1:{port}/")
    assert (found["probe_success"], found["probe_http_status_code"]) == (0, 0)


def test_nobody_there_is_down():
    assert probed_http(f"http://127.0.0.1:{free_port()}/")["probe_success"] == 0


def test_a_tls_server_that_is_none_is_down():
    with server(http_answer(b"HTTP/1.1 200 OK")) as port:
        assert probed_http(f"https://127.0.0.1:{port}/")["probe_success"] == 0


@pytest.fixture
def certificate(tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate, and is not installed")
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"]
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", *names]
    subprocess.run([*argv, *files], check=True, capture_output=True, timeout=60)
    return tmp_path / "cert.pem"


def test_a_tls_server_is_up_only_if_its_authority_is_trusted(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    plain = http_answer(b"HTTP/1.1 200 OK", b"hello")

    def answer(connection):
        # The other side may end the handshake because it does not trust us.
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as encrypted:
            plain(encrypted)

    with server(answer) as port:
        url = f"https://localhost:{port}/"
        assert probed_http(url, ca_file=certificate, contains="hello")["probe_success"] == 1
        assert probed_http(url)["probe_success"] == 0


def test_missing_authorities_are_a_fault_of_the_collector(tmp_path):
    with pytest.raises(CollectError, match="authorities"):
        probed_http("https://127.0.0.1:1/", ca_file=tmp_path / "missing.pem")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"url": "ftp://host/"}, "not http"),
        ({"url": "http:///path"}, "not http"),
        ({"url": "http://user:password@host/"}, "user or password"),
        ({"url": "http://host/a b"}, "percent-encoded"),
        ({"url": "http://host/\r\nX: y"}, "percent-encoded"),
        ({"url": "http://host:99999/"}, "[Pp]ort"),
        ({"url": "http://host/", "method": "POST"}, "method must be"),
    ],
)
def test_a_target_that_cannot_be_asked_is_refused_when_configured(change, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        HttpTarget(name="web", **change)
    assert "password@" not in str(caught.value)
