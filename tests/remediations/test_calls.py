"""The scripts that ask somebody else: a container engine over its socket, a service over HTTP."""

import http.server
import json
import socketserver
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from remediations.actions import http_call, restart_container
from remediations.plan import PlanError
from remediations.registry import plan
from remediations.spec import Context
from tests.services.dripping import ENDLESS, dripping


class Answering(http.server.BaseHTTPRequestHandler):
    """Remembers what it was asked, and answers as its server says."""

    def do_POST(self):
        self.server.asked.append((self.command, self.path, self.headers.get("Authorization")))
        status, body, headers = self.server.says
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_POST  # noqa: N815 - as the library calls it

    def address_string(self):
        return "peer"

    def log_message(self, *_):
        pass


class UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@contextmanager
def serving(server):
    server.asked, server.says = [], (204, b"", {})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def engine(tmp_path):
    with serving(UnixServer(str(tmp_path / "engine.sock"), Answering)) as server:
        yield server


@pytest.fixture
def service():
    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)) as server:
        yield server


def run(script, *options):
    argv = [sys.executable, "-I", "-S", script, *map(str, options)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def restart(engine, name="web"):
    return run(restart_container.SCRIPT, f"--socket={engine.server_address}", "--grace-seconds=5", "--", name)


def call(service, *options, path="/flush"):
    return run(http_call.SCRIPT, *options, "--", f"http://127.0.0.1:{service.server_address[1]}{path}")


def test_a_container_is_restarted_by_its_engine(engine):
    result = restart(engine)
    assert (result.returncode, result.stdout) == (0, "restarted: 'web'\n")
    assert engine.asked == [("POST", "/containers/web/restart?t=5", None)]


def test_what_the_engine_refuses_is_told(engine):
    engine.says = (404, json.dumps({"message": "No such container: web"}).encode(), {})
    result = restart(engine)
    assert (result.returncode, result.stdout) == (1, "the engine answers 404: 'No such container: web'\n")


def test_an_odd_answer_of_an_engine_stays_one_line(engine):
    engine.says = (500, b"<html>\n\x1b[2J\xff", {})
    assert restart(engine).stdout == "the engine answers 500: '<html>\\n\\x1b[2J\\\\xff'\n"


def test_an_engine_that_is_not_there_is_told(tmp_path):
    result = run(restart_container.SCRIPT, f"--socket={tmp_path / 'none'}", "--", "web")
    assert result.returncode == 1
    assert "does not answer" in result.stdout


def test_a_call_is_made_once_with_its_token(service, tmp_path):
    (tmp_path / "token").write_text("s3cret\n")
    result = call(service, "--method=PUT", f"--token-file={tmp_path / 'token'}")
    assert (result.returncode, result.stdout) == (0, "204: ''\n")
    assert service.asked == [("PUT", "/flush", "Bearer s3cret")]


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_any_other_answer_is_a_failure(service, status):
    service.says = (status, b"no\n", {})
    result = call(service)
    assert (result.returncode, result.stdout) == (1, f"{status}: 'no\\n'\n")


def test_a_redirect_is_not_followed(service):
    service.says = (302, b"", {"Location": "/elsewhere"})
    assert call(service).returncode == 1
    assert [path for _, path, _ in service.asked] == ["/flush"]


@pytest.mark.parametrize("where", ["in its headers", "in its body"])
def test_a_service_that_drips_its_answer_is_not_waited_for(where):
    with dripping(*ENDLESS[where]) as port:
        result = run(http_call.SCRIPT, "--timeout-seconds=0.5", "--", f"http://127.0.0.1:{port}/")
    assert (result.returncode, "takes too long" in result.stdout) == (1, True), result


@pytest.mark.parametrize("content", [b"s3cret\nmore", b"s3cr\x00et", b"s3cr\xe9t", b" \n"])
def test_what_is_no_token_is_refused_and_never_shown(service, tmp_path, content):
    (tmp_path / "token").write_bytes(content)
    result = call(service, f"--token-file={tmp_path / 'token'}")
    assert (result.returncode, service.asked) == (2, [])
    assert result.stdout == "the token file does not hold one line of ASCII text\n"
    assert "s3cr" not in result.stdout + result.stderr


def test_no_answer_is_a_failure_and_a_missing_token_a_refusal(service, tmp_path):
    service.shutdown()
    service.server_close()
    assert call(service).returncode == 1
    assert call(service, f"--token-file={tmp_path / 'none'}").returncode == 2


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/x",
        "http://",
        "http://user:word@host/",
        "http://host:99999/",
        "http://host/a b",
        "file:///etc/passwd",
    ],
)
def test_addresses_that_are_none_or_hold_a_password_are_refused(url):
    with pytest.raises(PlanError, match="url"):
        plan("http_call", {"url": url}, Context(), str)


def test_a_timer_runs_the_service_of_its_name():
    made = plan("trigger_timer", {"timer": "backup.timer"}, Context(), str)
    assert made.argv == ("systemctl", "--no-ask-password", "restart", "--", "backup.service")
    assert made.resource == "unit:backup.service"
