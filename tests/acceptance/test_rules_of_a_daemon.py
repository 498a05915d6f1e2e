"""What a running daemon makes of its rules: reloads that keep alerts, versions in incidents, what templates see."""

import json
import urllib.request
from typing import Any

from tests.acceptance.daemon import Daemon, repair, rule, rule_file, running_daemon
from tests.services.prometheus import running_alertmanager
from tests.services.service import eventually, need

EXPRESSION = 'test_broken{name="disk"} == 1'
TOLD = {"told": "{{ $labels.name }} of {{ $externalLabels.site }} at {{ $externalURL }}"}


def warning(**more: object) -> dict[str, Any]:
    return rule("Broken", EXPRESSION, labels={"severity": "warning"}, **more)


def got(url: str) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=60) as answer:
        return json.load(answer)


def alerts(daemon: Daemon) -> dict[str, dict[str, Any]]:
    """Return the alerts that the query API shows, by severity."""
    return {each["labels"]["severity"]: each for each in got(f"{daemon.url}/api/v1/alerts")["data"]["alerts"]}


def firing(daemon: Daemon, severity: str) -> dict[str, Any]:
    def look() -> Any:
        found = alerts(daemon).get(severity)
        return found if found and found["state"] == "firing" else None

    return eventually(look, what=daemon.tail)


def test_a_rule_keeps_its_alert_and_incident_when_another_of_its_name_joins_and_says_which_version_it_was():
    with running_daemon({}, rule_file(warning(annotations={"runbook": "one"}))) as daemon:
        daemon.tell(disk=True)
        incident = daemon.await_state("Broken", "escalated")
        before = firing(daemon, "warning")
        critical = rule("Broken", EXPRESSION, labels={"severity": "critical"})
        daemon.rules.write_text(rule_file(critical, warning(annotations={"runbook": "one"})))
        daemon.reload()
        firing(daemon, "critical")
        assert alerts(daemon)["warning"] == before
        shown = daemon.client.get("incidents", incident["id"])
        assert (shown["state"], shown["rule_version"]) == ("escalated", incident["rule_version"])
        daemon.rules.write_text(rule_file(warning(annotations={"runbook": "two"})))
        daemon.reload()
        eventually(lambda: alerts(daemon)["warning"]["annotations"] == {"runbook": "two"}, what=daemon.tail)
        assert alerts(daemon)["warning"]["activeAt"] == before["activeAt"]
        daemon.tell(disk=False)
        daemon.await_incident("Broken", lambda each: each["id"] == incident["id"] and each["state"] == "resolved")
        daemon.tell(disk=True)
        again = daemon.await_incident("Broken", lambda each: each["state"] == "escalated")
        assert again["rule_version"] not in {"", incident["rule_version"]}


def test_external_labels_and_address_reach_templates_and_an_alertmanager():
    need("amtool", "prometheus-alertmanager")
    host = {"external_labels": {"site": "north"}, "external_url": "https://host.example.org/p/"}
    with running_alertmanager() as alertmanager:
        tables = {"host": host | {"name": "test-host"}, "alertmanagers": [{"url": alertmanager.url}]}
        with running_daemon(tables, rule_file(warning(annotations=TOLD))) as daemon:
            daemon.tell(disk=True)
            found = firing(daemon, "warning")
            assert found["annotations"] == {"told": "disk of north at https://host.example.org/p"}
            assert "site" not in found["labels"]
            (pushed,) = eventually(lambda: got(f"{alertmanager.url}/api/v2/alerts"), what=daemon.tail)
            assert pushed["labels"]["site"] == "north"
            assert pushed["labels"]["instance"] == "test-host"
            assert pushed["generatorURL"] == "https://host.example.org/p/"


def test_a_rule_that_a_reload_brings_only_observes_at_first():
    other = rule("Other", 'test_broken{name="other"} == 1')
    mend = [repair(name, ["/bin/true"], origins=["textfile"]) for name in ("Broken", "Other")]
    tables = {"remediations": mend, "rules": {"observe_new": "1d"}}
    with running_daemon(tables, rule_file(warning())) as daemon:
        assert observing(daemon) == ["Broken"], "at the very first start every rule is new"
        daemon.rules.write_text(rule_file(warning(), other))
        daemon.reload()
        assert observing(daemon) == ["Broken", "Other"]
        daemon.tell(other=True)
        held = daemon.await_incident("Other", lambda each: bool(each["would_run"]))
        assert (held["state"], held["attempts"]) == ("open", [])
        daemon.config.write_text(daemon.config.read_text().replace('observe_new = "1d"', 'observe_new = "0s"'))
        daemon.reload()
        assert observing(daemon) == []
        daemon.tell(other=True, disk=True)
        daemon.await_incident("Broken", lambda each: bool(each["attempts"]))


def observing(daemon: Daemon) -> list[str]:
    return [each["rule"] for each in daemon.client.get("status")["observing"]]
