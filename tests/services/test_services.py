"""The components that acceptance tests stand on start, answer and end."""

import json
import ssl
import subprocess
import urllib.request

import pytest

from tests.services.mosquitto import Broker, running_mosquitto
from tests.services.prometheus import running_alertmanager, running_prometheus
from tests.services.redmine import running_redmine
from tests.services.roundup import running_roundup
from tests.services.rt import running_rt
from tests.services.service import Server, listens, need

pytestmark = pytest.mark.acceptance


def fetch(url: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=60) as answer:
        return answer.read()


def test_prometheus_scrapes_itself_and_ends_with_the_block():
    config = "global: {scrape_interval: 1s}\nscrape_configs: [{job_name: self, static_configs: [{targets: []}]}]\n"
    with running_prometheus(config) as server:
        assert json.loads(fetch(f"{server.url}/api/v1/query?query=1"))["status"] == "success"
    assert not listens(server.port)


def test_alertmanager_answers_and_comes_back_after_a_crash():
    with running_alertmanager() as server:
        server.service.kill()
        assert not listens(server.port)
        server.service.start()
        assert json.loads(fetch(f"{server.url}/api/v2/alerts")) == []


def publish(broker: Broker, *options: str) -> int:
    client = need("mosquitto_pub", "mosquitto-clients")
    argv = (client, "-h", broker.host, "-p", str(broker.port), "-t", "a/b", "-m", "x", "-q", "1", *options)
    return subprocess.run(argv, check=False, capture_output=True, timeout=60).returncode


def test_mosquitto_serves_anybody_when_no_users_are_given():
    with running_mosquitto() as broker:
        assert publish(broker) == 0


def test_mosquitto_with_tls_and_users_refuses_a_wrong_password():
    with running_mosquitto(tls=True, users={"agent": "right"}) as broker:
        trust = ("--cafile", str(broker.ca_file))
        assert publish(broker, *trust, "-u", "agent", "-P", "right") == 0
        assert publish(broker, *trust, "-u", "agent", "-P", "wrong") != 0
        context = ssl.create_default_context(cafile=str(broker.ca_file))
        assert context.verify_mode is ssl.CERT_REQUIRED


def status(server: Server, path: str, password: str) -> int:
    passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
    passwords.add_password(None, server.url, server.user, password, is_authenticated=True)
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPBasicAuthHandler(passwords))
    try:
        with urllib.request.build_opener(*handlers).open(server.url + path, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_request_tracker_knows_our_account():
    with running_rt() as server:
        assert status(server, "/REST/2.0/rt", server.password) == 200
        assert status(server, "/REST/2.0/rt", "wrong") == 401


def test_roundup_knows_our_account():
    with running_roundup() as server:
        assert status(server, "/rest/data/issue", server.password) == 200
        assert status(server, "/rest/data/issue", "wrong") in {401, 403}


def test_redmine_knows_our_account():
    with running_redmine() as server:
        assert (
            json.loads(fetch(f"{server.url}/users/current.json?key={server.password}"))["user"]["login"] == server.user
        )
        with pytest.raises(urllib.error.HTTPError, match="401"):
            fetch(f"{server.url}/users/current.json?key=wrong")
