"""TLS, client certificates and passwords, as Prometheus' web configuration spells them."""

import base64
import http.client
import ssl
import subprocess

import pytest

from agent.app.doors import doors
from agent.config.options import WebOptions
from agent.config.problems import ConfigError
from agent.web.access import Access, Scope
from agent.web.passwords import Users, fits
from agent.web.tls import Tls
from agent.web.webconfig import WebConfig, WebConfigError, WebConfigFile, parse
from tests.agent.web.daemon import ask, running
from tests.services.service import need
from tests.services.tls import make_certificates

PASSWORD = "U*U"
HASH = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
SERVER = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
MUTUAL = (
    "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"
    "  client_ca_file: ca.crt\n  client_auth_type: {}\n"
)


@pytest.fixture
def folder(tmp_path):
    make_certificates(tmp_path)
    return tmp_path


def web_file(folder, text):
    file = folder / "web.yml"
    file.write_text(text)
    return WebConfigFile(file)


def client_certificate(folder, name, san="DNS:client"):
    """Make a certificate that the authority has signed."""
    openssl = need("openssl", "openssl")
    (folder / "san.txt").write_text(f"subjectAltName={san}\n")
    request = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}")
    signing = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", "san.txt")
    for arguments in (
        (*request, "-keyout", f"{name}.key", "-out", f"{name}.csr"),
        ("x509", "-req", "-in", f"{name}.csr", *signing, "-out", f"{name}.crt"),
    ):
        subprocess.run((openssl, *arguments), cwd=folder, check=True, capture_output=True, timeout=30)


def secure(daemon, folder, method, path, *, client="", body=None):
    """Ask over TLS, with the certificate of a client if one is named."""
    context = ssl.create_default_context(cafile=folder / "ca.crt")
    if client:
        context.load_cert_chain(folder / f"{client}.crt", folder / f"{client}.key")
    connection = http.client.HTTPSConnection(*daemon.address, timeout=60, context=context)
    return ask(connection, method, path, body, {})


def test_the_addresses_speak_tls_and_the_socket_does_not(folder):
    tls = Tls(web_file(folder, SERVER))
    with running(folder, tls=tls) as daemon:
        assert secure(daemon, folder, "GET", "/-/healthy").status == 200
        assert daemon.unix("GET", "/-/healthy").status == 200
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            daemon.tcp("GET", "/-/healthy")


def test_a_new_certificate_is_shown_to_new_connections_without_a_restart(folder):
    tls = Tls(web_file(folder, SERVER))
    with running(folder, tls=tls) as daemon:
        before = ssl.get_server_certificate(daemon.address)
        (folder / "server.crt").write_text("nonsense")
        assert ssl.get_server_certificate(daemon.address) == before, "one that is broken is not taken"
        make_certificates(folder)
        assert ssl.get_server_certificate(daemon.address) != before


def test_a_client_certificate_names_its_bearer_and_opens_what_it_should(folder):
    tls = Tls(web_file(folder, MUTUAL.format("VerifyClientCertIfGiven")))
    access = Access(certificate_scopes=frozenset({Scope.OPERATE}))
    client_certificate(folder, "db1")
    with running(folder, tls=tls, access=access) as daemon:
        assert secure(daemon, folder, "POST", "/control/reload", body={}).status == 401
        assert secure(daemon, folder, "POST", "/control/reload", client="db1", body={}).status == 200
        (command,) = daemon.backend.commands
        assert command.actor == "db1 (127.0.0.1)"
        assert secure(daemon, folder, "POST", "/api/v2/alerts", client="db1", body=[]).status == 403


def test_where_a_certificate_is_required_nobody_comes_in_without(folder):
    tls = Tls(web_file(folder, MUTUAL.format("RequireAndVerifyClientCert")))
    client_certificate(folder, "db1")
    with running(folder, tls=tls) as daemon:
        assert secure(daemon, folder, "GET", "/-/healthy", client="db1").status == 200
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            secure(daemon, folder, "GET", "/-/healthy")


def test_a_certificate_with_another_name_than_those_allowed_is_turned_away(folder):
    text = MUTUAL.format("VerifyClientCertIfGiven") + "  client_allowed_sans: [right]\n"
    client_certificate(folder, "db1", "DNS:right")
    client_certificate(folder, "db2", "DNS:wrong")
    with running(folder, tls=Tls(web_file(folder, text))) as daemon:
        assert secure(daemon, folder, "GET", "/-/healthy", client="db1").status == 200
        with pytest.raises((OSError, http.client.HTTPException)):
            secure(daemon, folder, "GET", "/-/healthy", client="db2")


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_a_user_with_the_right_password_may_do_what_users_may(tmp_path):
    users = Users(web_file(tmp_path, f"basic_auth_users:\n  alice: {HASH}\n"))
    access = Access(passwords=users, user_scopes=frozenset({Scope.OPERATE}))
    with running(tmp_path, access=access, closed_metrics=True) as daemon:
        for _ in range(2):
            right = daemon.tcp("POST", "/control/reload", {}, authorization=basic("alice", PASSWORD))
            assert right.status == 200
        assert daemon.backend.commands[0].actor == "alice (127.0.0.1)"
        for wrong in (basic("alice", "no"), basic("bob", PASSWORD), "Basic ???", basic("alice", "a\0b"), "Basic"):
            assert daemon.tcp("POST", "/control/reload", {}, authorization=wrong).status == 401
    users.close()


def test_a_password_that_was_changed_in_the_file_is_asked_for_at_once(tmp_path):
    users = Users(web_file(tmp_path, f"basic_auth_users: {{alice: {HASH}}}"))
    access = Access(passwords=users, user_scopes=frozenset({Scope.OPERATE}))
    with running(tmp_path, access=access) as daemon:
        assert daemon.tcp("POST", "/control/reload", {}, authorization=basic("alice", PASSWORD)).status == 200
        (tmp_path / "web.yml").write_text("basic_auth_users: {}  # nobody any more")
        assert daemon.tcp("POST", "/control/reload", {}, authorization=basic("alice", PASSWORD)).status >= 400
    users.close()


def test_hashes_of_prometheus_and_of_the_system_are_verified():
    assert fits(PASSWORD, HASH)
    assert not fits("U*V", HASH)
    assert not fits(PASSWORD, "$2b$05$nonsense")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "must be a mapping"),
        ("a: {", "is no YAML"),
        ("tls_sever_config: {}", "tls_sever_config is not supported here"),
        ("tls_server_config: {key_file: k}", "cert_file is missing"),
        (f"{SERVER[:-2]}, cipher_suites: [a]}}", "cipher_suites is not supported"),
        (f"{SERVER[:-2]}, client_auth_type: RequestClientCert}}", "client_auth_type must be"),
        (f"{SERVER[:-2]}, client_ca_file: c}}", "belong together"),
        (f"{SERVER[:-2]}, client_auth_type: RequireAndVerifyClientCert}}", "belong together"),
        (f"{SERVER[:-2]}, min_version: TLS10}}", "min_version must be"),
        ("basic_auth_users: {alice: secret}", "alice: is no bcrypt hash"),
        ("tls_server_config: {cert_file: [a], key_file: k}", "cert_file must be one text"),
        (f"{SERVER[:-2]}, min_version: {{a: b}}}}", "min_version must be one text"),
        (f"{SERVER[:-2]}, client_allowed_sans: web1}}", "client_allowed_sans must be a list"),
        (f"{SERVER[:-2]}, client_allowed_sans: [[a]]}}", "client_allowed_sans must be a list"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path, text, message):
    with pytest.raises(WebConfigError, match=message):
        parse(text, tmp_path)


def test_an_empty_file_opens_and_closes_nothing(tmp_path):
    assert parse("", tmp_path) == WebConfig()


def test_a_file_that_cannot_be_used_keeps_the_daemon_from_starting(tmp_path):
    for text in (None, SERVER):
        if text is not None:
            (tmp_path / "web.yml").write_text(text)
        with pytest.raises(ConfigError, match=r"web\.config_file"):
            doors(WebOptions(config_file=tmp_path / "web.yml"))
