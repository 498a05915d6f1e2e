"""amtool and Prometheus against a whole daemon, as if it were an Alertmanager."""

import json
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
import requests

from tests.acceptance.commands import told
from tests.acceptance.daemon import down_rule, repairs, rule_file, running_daemon, watched_services, watching
from tests.services.prometheus import running_prometheus
from tests.services.service import eventually, need

TOKEN = "open-sesame-operator"
HTTP = f"authorization: {{credentials: {TOKEN}}}\n"
INHIBITION = {
    "name": "host-down",
    "source_matchers": ['alertname="HostDown"'],
    "target_matchers": ['severity="warning"'],
    "equal": ["host"],
}
PROMETHEUS = """
global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}
rule_files: [rules.yml]
scrape_configs:
  - {job_name: node, static_configs: [{targets: ["127.0.0.1:%d"]}]}
alerting:
  alertmanagers:
    - static_configs: [{targets: ["127.0.0.1:%d"]}]
      authorization: {credentials: %s}
"""


@pytest.fixture(scope="module")
def service():
    with watched_services("Shop") as services:
        yield services["Shop"]


@pytest.fixture(scope="module")
def daemon(service, tmp_path_factory):
    folder = tmp_path_factory.mktemp("amtool")
    (folder / "token").write_text(TOKEN)
    (folder / "token").chmod(0o600)
    (folder / "http.yml").write_text(HTTP)
    services = {"Shop": service}
    tables = {
        "web": {"listen": "127.0.0.1:0", "token_file": folder / "token"},
        "collectors": watching(services),
        "remediations": repairs(services),
        "inhibitions": [INHIBITION],
    }
    rules = rule_file(down_rule(service))
    with running_daemon(tables, rules) as started:
        # The port is the daemon's own; only the configuration knows the token.
        started.configure({**tables, "web": tables["web"] | {"listen": f"127.0.0.1:{started.port}"}}, rules)
        started.stop()
        started.start()
        (started.directory / "http.yml").write_text(HTTP)
        yield started


@pytest.fixture
def amtool(daemon):
    """Return a function that runs amtool against the daemon and returns what it says."""
    program = need("amtool", "prometheus-alertmanager")

    def run(*arguments: str, as_json: bool = False) -> str:
        argv = (
            *(program, f"--alertmanager.url={daemon.url}", f"--http.config.file={daemon.directory / 'http.yml'}"),
            *(("--output=json",) if as_json else ()),
            *arguments,
        )
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


def shown(amtool, *arguments):
    return sorted(one["labels"]["alertname"] for one in json.loads(amtool("alert", "query", *arguments, as_json=True)))


def silences(amtool, *arguments):
    return {one["id"]: one for one in json.loads(amtool("silence", "query", *arguments, as_json=True))}


def test_an_alert_is_added_queried_silenced_and_let_go_again(daemon, amtool):
    amtool("alert", "add", "DiskFull", "severity=critical", "node=bar", "--annotation=summary=full")
    eventually(lambda: shown(amtool) == ["DiskFull"])
    assert shown(amtool, "node=~ba.") == ["DiskFull"]
    assert shown(amtool, "node!=bar") == []

    key = amtool("silence", "add", "alertname=DiskFull", "--author=ann", "--comment=new disk", "--duration=1h")

    assert shown(amtool) == []
    assert shown(amtool, "--silenced") == ["DiskFull"]
    assert daemon.incident("DiskFull")["suppressed"] == f"silence {key} (ann)"
    amtool("silence", "expire", key)
    assert shown(amtool) == ["DiskFull"]
    assert daemon.incident("DiskFull")["suppressed"] == ""


def test_a_silence_is_queried_updated_and_expired_and_our_own_command_knows_it(daemon, amtool):
    key = amtool("silence", "add", "alertname=Nothing", 'node=~"a|b"', "--author=ann", "--comment=first")
    assert amtool("silence", "query", "--quiet") == key

    amtool("silence", "update", key, "--duration=5h", "--comment=second")

    (known,) = silences(amtool, "alertname=Nothing").values()
    assert (known["id"], known["comment"]) == (key, "second")
    (ours,) = told(daemon, "silence", "list")
    assert (ours["id"], ours["comment"], ours["createdBy"]) == (key, "second", "ann")
    amtool("silence", "expire", key)
    assert silences(amtool) == {}
    assert key in silences(amtool, "--expired")


def test_an_exported_silence_is_imported_again(daemon, amtool, tmp_path):
    key = amtool("silence", "add", "alertname=Kept", "--author=ann", "--comment=c", "--duration=1h")
    (tmp_path / "silences.json").write_text(json.dumps(list(silences(amtool).values())))
    amtool("silence", "expire", key)

    amtool("silence", "import", "--force", str(tmp_path / "silences.json"))

    (again,) = silences(amtool).values()
    assert again["id"] != key
    amtool("silence", "expire", again["id"])


def test_the_configuration_is_shown_and_its_routes_lead_to_us(daemon, amtool):
    assert json.loads(amtool("config", "show"))["inhibit_rules"][0]["equal"] == ["host"]
    assert amtool("config", "routes", "test", "alertname=X") == "paramedic"
    assert "disabled" in amtool("cluster", "show")


def test_a_source_inhibits_its_target(daemon, amtool):
    amtool("alert", "add", "HostDown", "severity=critical", "host=db")
    amtool("alert", "add", "Slow", "severity=warning", "host=db")
    amtool("alert", "add", "Slow", "severity=warning", "host=web")

    eventually(
        lambda: shown(amtool, "alertname=~Slow|HostDown", "--inhibited", "--active") == ["HostDown", "Slow", "Slow"]
    )

    assert shown(amtool, "alertname=Slow") == ["Slow"]
    assert daemon.incident("Slow", host="db")["suppressed"] == "inhibition host-down by HostDown"
    assert daemon.incident("Slow", host="web")["suppressed"] == ""


def test_a_silence_stops_an_action_until_it_is_ended(daemon, service, amtool):
    key = amtool("silence", "add", "alertname=DownShop", "--author=ann", "--comment=by hand", "--duration=1h")
    service.kill()
    quiet = daemon.await_incident("DownShop", lambda incident: incident["suppressed"])
    assert quiet["state"] == "open"
    assert quiet["refusals"][0] == f"freeze: muted by silence {key} (ann)"
    assert (quiet["runs"], quiet["ticket_links"]) == ([], [])
    assert daemon.metric("paramedic_incidents_suppressed") >= 0
    assert not service.answers()

    amtool("silence", "expire", key)

    eventually(service.answers, what=daemon.tail)
    mended = daemon.await_state("DownShop", "resolved")
    assert [entry["reason"] for entry in mended["timeline"]][:2] == ["refused_for_now", "attempt_started"]


def test_a_silence_that_was_answered_outlives_a_crash(daemon, amtool):
    key = amtool("silence", "add", "alertname=Nothing", "--author=ann", "--comment=c", "--duration=1h")

    daemon.kill()
    daemon.start()

    assert list(silences(amtool)) == [key]
    amtool("silence", "expire", key)


def test_what_prometheus_sends_opens_an_incident_and_its_end_resolves_it(daemon):
    daemon.tell(broken=False)
    rules = rule_file({"alert": "SentBroken", "expr": "test_broken == 1", "labels": {"severity": "critical"}})
    with running_prometheus(PROMETHEUS % (daemon.port, daemon.port, TOKEN), files={"rules.yml": rules}) as server:
        found = f"{server.url}/api/v1/alertmanagers"
        eventually(lambda: requests.get(found, timeout=60).json()["data"]["activeAlertmanagers"])
        daemon.tell(broken=True)

        sent = daemon.await_incident("SentBroken", lambda incident: incident["state"] != "resolved")

        assert sent["origin"] == "http"
        daemon.tell(broken=False)
        assert daemon.await_state("SentBroken", "resolved")["resolution"] == "by_itself"


def test_what_is_not_sent_again_is_without_data_and_only_its_end_resolves_it(daemon, amtool):
    def add(ends):
        amtool("alert", "add", "Lapsed", "severity=critical", f"--end={ends.isoformat()}")

    add(datetime.now(UTC) + timedelta(seconds=2))

    lapsed = daemon.await_incident("Lapsed", lambda incident: incident["alert_state"] == "no_data")

    assert lapsed["state"] != "resolved"
    assert shown(amtool, "alertname=Lapsed") == ["Lapsed"]
    add(datetime.now(UTC) - timedelta(seconds=1))
    daemon.await_state("Lapsed", "resolved")
    assert shown(amtool, "alertname=Lapsed") == []


def test_nobody_without_the_token_silences_anything(daemon):
    assert requests.post(f"{daemon.url}/api/v2/silences", json={}, timeout=60).status_code == 401
    assert requests.delete(f"{daemon.url}/api/v2/silence/x", timeout=60).status_code == 401
