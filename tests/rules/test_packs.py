"""Our own packs, each alert firing and not firing, from samples through the store."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from collectors.sample import Reading, Sample, Source
from rules.alert import AlertState
from rules.rulefile import load, load_pack, packs
from rules.ruleset import Ruleset
from rules.series import SeriesStore

SHARED = Path(__file__).parents[3] / "shared" / "rules"
EXTERNAL = (("instance", "web1"), ("job", "node"))
MOUNT = {"device": "/dev/sda1", "fstype": "ext4", "mountpoint": "/var"}
NOWHERE = {"device": "tmpfs", "fstype": "tmpfs", "mountpoint": "/tmp"}
GIB = 2.0**30


@dataclass(frozen=True)
class Line:
    """A series whose value is `start` at first and changes by `slope` every second."""

    name: str
    labels: dict
    start: float
    slope: float = 0.0

    def sample(self, seconds):
        return Sample(self.name, self.start + self.slope * seconds, tuple(sorted(self.labels.items())))


def line(metric, start, slope=0.0, /, **labels):
    return Line(metric, labels, start, slope)


def pair(whole, whole_value, part, share, /, **labels):
    """Two series of which the second is a share of the first."""
    return [line(whole, whole_value, **labels), line(part, whole_value * share, **labels)]


def processors(idle):
    modes = {"idle": idle, "user": 1 - idle}
    return [
        line("node_cpu_seconds_total", 0, share, cpu=cpu, mode=mode) for cpu in "01" for mode, share in modes.items()
    ]


def disk(available, *, read_only=0.0, slope=0.0, mount=None):
    labels = mount or MOUNT
    return [
        line("node_filesystem_size_bytes", 100 * GIB, **labels),
        line("node_filesystem_avail_bytes", available * 100 * GIB, slope, **labels),
        line("node_filesystem_readonly", read_only, **labels),
    ]


def inodes(free, total=1000.0):
    return [
        line("node_filesystem_files", total, **MOUNT),
        line("node_filesystem_files_free", free * total, **MOUNT),
        line("node_filesystem_readonly", 0, **MOUNT),
    ]


def packets(errors):
    names = ("errs", "packets")
    directions = ("receive", "transmit")
    slopes = {"errs": errors, "packets": 100}
    return [line(f"node_network_{way}_{n}_total", 0, slopes[n], device="eth0") for way in directions for n in names]


MINUTE, HOUR = 60, 3600
CASES = {
    # alert: (seconds of history, what makes it fire, what does not)
    "HostCpuSaturated": (21 * MINUTE, processors(0.01), processors(0.2)),
    "HostLoadHigh": (21 * MINUTE, [line("node_load5", 9), *processors(1)], [line("node_load5", 7), *processors(1)]),
    "HostMemoryLow": (
        6 * MINUTE,
        pair("node_memory_MemTotal_bytes", 8 * GIB, "node_memory_MemAvailable_bytes", 0.07),
        pair("node_memory_MemTotal_bytes", 8 * GIB, "node_memory_MemAvailable_bytes", 0.09),
    ),
    "HostMemoryExhausted": (
        2 * MINUTE,
        pair("node_memory_MemTotal_bytes", 8 * GIB, "node_memory_MemAvailable_bytes", 0.02),
        pair("node_memory_MemTotal_bytes", 8 * GIB, "node_memory_MemAvailable_bytes", 0.04),
    ),
    "HostOutOfMemoryKill": (11 * MINUTE, [line("node_vmstat_oom_kill", 0, 0.01)], [line("node_vmstat_oom_kill", 3)]),
    "ServiceOutOfMemoryKill": (
        11 * MINUTE,
        [line("paramedic_cgroup_memory_events_total", 0, 0.01, cgroup="system.slice/a.service", event="oom_kill")],
        [line("paramedic_cgroup_memory_events_total", 0, 0.01, cgroup="system.slice/a.service", event="max")],
    ),
    "HostSwapLow": (
        11 * MINUTE,
        pair("node_memory_SwapTotal_bytes", GIB, "node_memory_SwapFree_bytes", 0.05),
        pair("node_memory_SwapTotal_bytes", 0.0, "node_memory_SwapFree_bytes", 0.05),
    ),
    "HostMemoryPressure": (
        11 * MINUTE,
        [line("node_pressure_memory_stalled_seconds_total", 0, 0.2)],
        [line("node_pressure_memory_stalled_seconds_total", 0, 0.05)],
    ),
    "HostMemoryThrashing": (
        1 * MINUTE,
        [line("paramedic_pressure_ratio", 0.6, kind="full", resource="memory")],
        [line("paramedic_pressure_ratio", 0.4, kind="full", resource="memory")],
    ),
    "HostStoragePressure": (
        21 * MINUTE,
        [line("node_pressure_io_stalled_seconds_total", 0, 0.6)],
        [line("node_pressure_io_stalled_seconds_total", 0, 0.4)],
    ),
    "HostFileHandlesLow": (
        6 * MINUTE,
        pair("node_filefd_maximum", 1000.0, "node_filefd_allocated", 0.9),
        pair("node_filefd_maximum", 1000.0, "node_filefd_allocated", 0.8),
    ),
    "HostNetworkErrors": (21 * MINUTE, packets(2), packets(0.5)),
    "DiskSpaceLow": (6 * MINUTE, disk(0.09), [*disk(0.11), *disk(0.01, mount=NOWHERE)]),
    "DiskSpaceExhausted": (2 * MINUTE, disk(0.02), disk(0.01, read_only=1.0)),
    "DiskFullWithinADay": (8 * HOUR, disk(0.5, slope=-GIB / 1000), disk(0.5, slope=-GIB / 5000)),
    "DiskInodesLow": (6 * MINUTE, inodes(0.04), [*inodes(0.5), line("node_filesystem_files", 0, **NOWHERE)]),
    "DiskBecameReadOnly": (
        2 * HOUR,
        [],
        [line("node_filesystem_readonly", 1, **MOUNT)],
    ),
    "DiskUnreadable": (
        6 * MINUTE,
        [line("node_filesystem_device_error", 1, **MOUNT)],
        [line("node_filesystem_device_error", 0, **MOUNT)],
    ),
    "DiskBusy": (
        36 * MINUTE,
        [line("node_disk_io_time_seconds_total", 0, 0.99, device="sda")],
        [line("node_disk_io_time_seconds_total", 0, 0.9, device="sda")],
    ),
    "SystemdUnitFailed": (
        0,
        [line("node_systemd_unit_state", 1, name="a.service", state="failed")],
        [line("node_systemd_unit_state", 0, name="a.service", state="failed")],
    ),
    "SystemdServiceGivenUp": (
        0,
        [line("paramedic_systemd_service_ended", 1, name="a.service", cause="given_up")],
        [line("paramedic_systemd_service_ended", 1, name="a.service", cause="restart")],
    ),
    "SystemdServiceEnded": (
        0,
        [line("paramedic_systemd_service_ended", 1, name="a.service", cause="exit")],
        [line("paramedic_systemd_service_ended", 1, name="a.service", cause="request")],
    ),
    "SystemdServiceFlapping": (
        16 * MINUTE,
        [line("node_systemd_service_restart_total", 0, 0.01, name="a.service")],
        [line("node_systemd_service_restart_total", 3, name="a.service")],
    ),
    "ProcessDown": (
        0,
        [line("paramedic_process_up", 0, name="nginx")],
        [line("paramedic_process_up", 1, name="nginx")],
    ),
    "ProbeFailed": (
        MINUTE,
        [line("probe_success", 0, probe="web", target="http://h/")],
        [line("probe_success", 1, probe="web", target="http://h/")],
    ),
    "NagiosCheckCritical": (
        2 * MINUTE,
        [line("nagios_check_state", 2, check="disk")],
        [line("nagios_check_state", 1, check="disk")],
    ),
    "NagiosCheckWarning": (
        5 * MINUTE,
        [line("nagios_check_state", 1, check="disk")],
        [line("nagios_check_state", 0, check="disk")],
    ),
    "NagiosCheckUnknown": (
        5 * MINUTE,
        [line("nagios_check_state", 3, check="disk")],
        [line("nagios_check_state", 2, check="disk")],
    ),
    "ParamedicOutboxStuck": (
        MINUTE,
        [line("paramedic_outbox_oldest_seconds", 1000)],
        [line("paramedic_outbox_oldest_seconds", 10)],
    ),
    "ParamedicDeliveryFailing": (
        10 * MINUTE,
        [line("paramedic_delivery_failing", 1, target="mail")],
        [line("paramedic_delivery_failing", 0, target="mail")],
    ),
    "ParamedicDeadLetter": (
        0,
        [line("paramedic_effects_total", 1, target="mail", result="dead")],
        [line("paramedic_effects_total", 1, target="mail", result="done")],
    ),
    "ParamedicCollectorFailing": (
        5 * MINUTE,
        [line("paramedic_collector_success", 0, collector="cpu", target="")],
        [line("paramedic_collector_success", 1, collector="cpu", target="")],
    ),
    "ParamedicRuleFailing": (
        6 * MINUTE,
        [line("paramedic_rule_evaluation_failures_total", 0, 0.1)],
        [line("paramedic_rule_evaluation_failures_total", 5)],
    ),
    "ParamedicRuleLimited": (
        0,
        [line("paramedic_rule_limit_exceeded", 1, rule="f;g;A")],
        [line("paramedic_rule_limit_exceeded", 0, rule="f;g;A")],
    ),
    "ParamedicReadingsDropped": (
        6 * MINUTE,
        [line("paramedic_queue_dropped_total", 0, 0.1, kind="readings")],
        [line("paramedic_queue_dropped_total", 5, kind="readings")],
    ),
    "ParamedicQuarantined": (
        0,
        [line("paramedic_quarantined_rows", 2)],
        [line("paramedic_quarantined_rows", 0)],
    ),
    "ParamedicDropping": (
        6 * MINUTE,
        [
            line("paramedic_samples_refused", 0, 0.1),
            line("paramedic_posted_alerts_dropped_total", 0),
        ],
        [line("paramedic_samples_refused", 5), line("paramedic_posted_alerts_dropped_total", 5)],
    ),
    "ParamedicBreakerOpen": (
        0,
        [line("paramedic_breaker_state", 2, scope="remediation", name="restart-web")],
        [line("paramedic_breaker_state", 1, scope="remediation", name="restart-web")],
    ),
    "ParamedicRemediationDemoted": (
        0,
        [line("paramedic_remediation_demoted", 1, remediation="restart-web")],
        [line("paramedic_remediation_demoted", 0, remediation="restart-web")],
    ),
    "ParamedicEmergencyUnreviewed": (
        8 * 60 * MINUTE,
        [line("paramedic_changes_unreviewed", 1)],
        [line("paramedic_changes_unreviewed", 0)],
    ),
    "ParamedicMqttInputDown": (
        5 * MINUTE,
        [line("paramedic_mqtt_input_connected", 0, broker="b:1883")],
        [line("paramedic_mqtt_input_connected", 1, broker="b:1883")],
    ),
    "ParamedicMqttTopicsSilent": (
        0,
        [line("paramedic_mqtt_silent_topics", 2, subscription="heat")],
        [line("paramedic_mqtt_silent_topics", 0, subscription="heat")],
    ),
    "ParamedicMqttMessagesRefused": (
        6 * MINUTE,
        [line("paramedic_mqtt_messages_total", 0, 0.1, subscription="heat", result="malformed")],
        [line("paramedic_mqtt_messages_total", 0, 0.1, subscription="heat", result="accepted")],
    ),
    "ParamedicReloadFailed": (
        0,
        [line("paramedic_config_last_reload_successful", 0)],
        [line("paramedic_config_last_reload_successful", 1)],
    ),
    "TextfileBroken": (5 * MINUTE, [line("node_textfile_scrape_error", 1)], [line("node_textfile_scrape_error", 0)]),
}
ALERTS = {rule.name: name for name in packs() for group in load_pack(name).groups for rule in group.rules}


class Host:
    """A store with one pack's rules."""

    def __init__(self, alert):
        self.store = SeriesStore(external=EXTERNAL, history_seconds=86_400.0)
        self.ruleset = Ruleset(load_pack(ALERTS[alert]).groups, self.store)
        self.alert = alert

    def read(self, at, samples):
        self.store.append(Reading(source=Source("fixture"), at=at, samples=samples))

    def firing(self, at):
        for key in self.ruleset.groups:
            evaluation = self.ruleset.evaluate(key, at)
            assert not evaluation.errors
        alerts = self.ruleset.active()
        return [alert for alert in alerts if alert.name == self.alert and alert.state is AlertState.FIRING]


def outcome(alert, seconds, lines):
    host = Host(alert)
    step = 60 if seconds <= HOUR else 300
    firing = []
    for elapsed in range(0, seconds + 1, step):
        host.read(1000.0 + elapsed, [each.sample(elapsed) for each in lines])
        firing = host.firing(1000.0 + elapsed)
    return firing


def test_every_alert_of_the_packs_has_a_case():
    assert set(CASES) == set(ALERTS)


@pytest.mark.parametrize("alert", [name for name, (_, bad, _) in CASES.items() if bad])
def test_a_fault_raises_its_alert_and_its_texts_render(alert):
    seconds, bad, _ = CASES[alert]
    firing = outcome(alert, seconds, bad)
    assert firing
    for each in firing:
        texts = dict(each.annotations)
        assert not any("error expanding" in text or "<no value>" in text for text in texts.values())
        assert texts["summary"]
        assert each.label("severity") in {"warning", "critical"}


@pytest.mark.parametrize("alert", sorted(CASES))
def test_a_healthy_host_raises_no_alert(alert):
    seconds, _, good = CASES[alert]
    assert outcome(alert, seconds, good) == []


def test_a_filesystem_that_was_writable_and_is_not_any_more_is_told():
    host = Host("DiskBecameReadOnly")
    firing = [
        bool(host.read(at, [line("node_filesystem_readonly", at > 1200, **MOUNT).sample(0)]) or host.firing(at))
        for at in range(1000, 1400, 100)
    ]
    assert firing == [False, False, False, True]


def test_a_failed_unit_is_named_with_its_host():
    (alert,) = outcome("SystemdUnitFailed", 0, CASES["SystemdUnitFailed"][1])
    assert dict(alert.annotations)["summary"] == "a.service on web1 has failed"
    assert (alert.label("name"), alert.label("severity")) == ("a.service", "critical")


@pytest.mark.skipif(not SHARED.is_dir(), reason="no public rule files beside this repository")
def test_public_rules_are_evaluated_without_an_error_on_any_host():
    store = SeriesStore(external=EXTERNAL)
    groups = [group for path in sorted(SHARED.glob("*.yml")) for group in load(path).groups]
    groups += [group for name in packs() for group in load_pack(name).groups]
    ruleset = Ruleset(groups, store)
    lines = [each for _, bad, good in CASES.values() for each in (bad or good)]
    unique = {(each.name, tuple(sorted(each.labels.items()))): each for each in lines}.values()
    for at in (0, 60, 120):
        store.append(Reading(source=Source("fixture"), at=1000.0 + at, samples=[each.sample(at) for each in unique]))
        evaluations = [ruleset.evaluate(key, 1000.0 + at) for key in ruleset.groups]
        assert [evaluation.errors for evaluation in evaluations if evaluation.errors] == []
    assert any(True for _ in ruleset.active())
