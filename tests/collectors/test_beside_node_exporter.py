"""Our samples beside those of a real node_exporter on the same host, read between two readings of ours."""

import shutil
import subprocess
import urllib.request
from contextlib import contextmanager, suppress

import pytest

from collectors import (
    arp,
    conntrack,
    cpu,
    diskstats,
    entropy,
    filefd,
    filesystem,
    hwmon,
    interrupts,
    loadavg,
    meminfo,
    netclass,
    netdev,
    netstat,
    pressure,
    process_self,
    processes_summary,
    sockstat,
    softnet,
    stat,
    tcpstat,
    timex,
    udp_queues,
    uname,
    vmstat,
)
from collectors.exposition import parse
from collectors.sample import MetricType
from collectors.spec import NotAvailableError
from tests.services.service import free_port

BINARY = shutil.which("prometheus-node-exporter") or shutil.which("node_exporter")
POLLED = (
    *(arp, conntrack, cpu, diskstats, entropy, filefd, interrupts, loadavg, meminfo, netclass, netdev, netstat),
    *(pressure, processes_summary, sockstat, softnet, stat, tcpstat, timex, udp_queues, uname, vmstat),
)
RENAMED = {"processes_summary": "processes"}
NAMES = [RENAMED.get(module.SPEC.name, module.SPEC.name) for module in (*POLLED, filesystem)]
TICK_SECONDS = 0.05
FIXED = {
    "node_entropy_pool_size_bits",
    "node_filefd_maximum",
    "node_filesystem_files",
    "node_filesystem_readonly",
    "node_filesystem_size_bytes",
    "node_memory_MemTotal_bytes",
    "node_memory_SwapTotal_bytes",
    "node_network_carrier",
    "node_network_mtu_bytes",
    "node_network_up",
    "node_processes_max_processes",
    "node_processes_max_threads",
    "node_timex_loop_time_constant",
    "node_timex_tai_offset_seconds",
    "node_timex_tick_seconds",
    "node_uname_info",
}
# Theirs are untyped, but only these do not count upwards.
NO_COUNTS = {"node_netstat_Ip_Forwarding", "node_netstat_Tcp_CurrEstab", "node_netstat_Tcp_MaxConn"}
# What a process or a connection is in for a moment can be there in one reading and not in the others.
PASSING = {"node_processes_state", "node_tcp_connection_states"}
# Gauges that are in motion, but not far: within a tenth of what there is, or this much.
NEAR = {
    "node_processes_pids": 30,
    "node_processes_threads": 60,
    "node_sockstat_TCP_alloc": 50,
    "node_sockstat_sockets_used": 100,
    "node_timex_estimated_error_seconds": 0.1,
    "node_timex_frequency_adjustment_ratio": 1e-5,
    "node_timex_maxerror_seconds": 0.1,
    "node_timex_offset_seconds": 0.01,
}

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(BINARY is None, reason="node_exporter is not installed (Debian: prometheus-node-exporter)"),
]

# Debian changes some filters and an old release lacks others: here both get ours.
FILTERS = [
    f"--collector.diskstats.device-exclude={diskstats.DiskOptions().device_exclude}",
    f"--collector.filesystem.mount-points-exclude={filesystem.FilesystemOptions().mount_points_exclude}",
    f"--collector.filesystem.fs-types-exclude={filesystem.FilesystemOptions().fs_types_exclude}",
    "--collector.netdev.device-exclude=^$",
    "--collector.netclass.ignore-invalid-speed",
    f"--collector.netstat.fields={netstat.NetstatOptions().fields}",
]


def ours():
    """Return value by series; a healthy mount has no device_error, so the labels are the same."""
    found = []
    for module in POLLED:
        # A host without a firewall tracks no connections.
        with suppress(NotAvailableError):
            found += module.collect(module.SPEC.options())
    options = filesystem.FilesystemOptions()
    for target in filesystem.targets(options):
        found += filesystem.collect(options, target)
    return {(sample.name, sample.labels): sample.value for sample in found}


@contextmanager
def running(names, *options):
    """Run node_exporter with these collectors; yield where it answers."""
    address = f"127.0.0.1:{free_port()}"
    collectors = [f"--collector.{name}" for name in names]
    argv = [BINARY, f"--web.listen-address={address}", "--collector.disable-defaults", *collectors, *options]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as exporter:
        try:
            assert any("Listening on" in line for line in exporter.stderr), "node_exporter did not start"
            yield address
        finally:
            exporter.terminate()


@pytest.fixture(scope="module")
def address():
    with running(NAMES, *FILTERS) as address:
        yield address


def told(address):
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=60) as answer:
        return parse(answer.read().decode())


def readings(address):
    """Return what we read before, what node_exporter says by series and of each metric, and what we read after."""
    before = ours()
    theirs = told(address)
    after = ours()
    metrics = {metric.name: metric for metric in theirs.metrics}
    mine = {metric.name for module in (*POLLED, filesystem) for metric in module.SPEC.metrics}
    # A label without a value is none.
    series = {(one.name, tuple(pair for pair in one.labels if pair[1])): one.value for one in theirs.samples}
    return before, {each: value for each, value in series.items() if each[0] in mine}, metrics, after


@pytest.fixture
def agree(address):
    """Return what compares readings; others may change the host in between, but not time and again."""

    def compared(compare):
        for _ in range(5):
            with suppress(AssertionError):
                return compare(*readings(address))
        return compare(*readings(address))

    return compared


def test_the_series_are_the_same(agree):
    agree(same_series)


def same_series(before, theirs, _metrics, after):
    # Processes of other tests may mount and unmount, so what one of two readings has will do.
    missing = theirs.keys() - (before.keys() | after.keys())
    # What a newer kernel tells and an older node_exporter does not take; device errors are told by name by us.
    extra = {series for series in before.keys() & after.keys() if series not in theirs and series[0] in names(theirs)}
    assert not {series for series in missing if series[0] not in PASSING}
    assert not {series for series in extra if series[0] not in PASSING}


def names(samples):
    return {name for name, _ in samples}


def test_types_and_help_texts_are_the_same(address):
    _, theirs, metrics, _ = readings(address)
    ours = {metric.name: metric for module in (*POLLED, filesystem) for metric in module.SPEC.metrics}
    for name in names(theirs):
        assert ours[name] == metrics[name]


def test_counters_lie_between_our_two_readings(agree):
    agree(counters_between)


def counters_between(before, theirs, metrics, after):
    compared = 0
    for series in theirs.keys() & before.keys() & after.keys():
        if metrics[series[0]].type is MetricType.COUNTER or (
            series[0].startswith(netstat.PREFIX) and series[0] not in NO_COUNTS
        ):
            assert before[series] - TICK_SECONDS <= theirs[series] <= after[series] + TICK_SECONDS, series
            compared += 1
    assert compared > 150


def test_what_does_not_change_is_equal(agree):
    agree(fixed_equal)


def fixed_equal(before, theirs, _metrics, _after):
    fixed = {series for series in theirs.keys() & before.keys() if series[0] in FIXED}
    assert names(fixed) == FIXED
    assert {series: before[series] for series in fixed} == {series: theirs[series] for series in fixed}


def test_what_hardly_changes_is_near(agree):
    agree(moving_near)


def moving_near(before, theirs, _metrics, after):
    for name, tolerance in NEAR.items():
        values = [(before[series], after[series], theirs[series]) for series in theirs if series[0] == name]
        assert values, name
        for first, last, their in values:
            room = max(tolerance, 0.1 * abs(their) if tolerance >= 1 else 0)
            assert min(first, last) - room <= their <= max(first, last) + room, name


def test_a_process_tells_of_itself_by_the_same_names(address):
    metrics = readings(address)[2]
    shared = {metric.name: metric for metric in process_self.SPEC.metrics}
    assert shared == {name: metrics[name] for name in shared}


def test_sensors_are_told_of_the_same(host):
    """This host may have none, so both read those of our fixtures."""
    with running(["hwmon"], f"--path.sysfs={host / 'sys'}") as address:
        theirs = told(address)
    found = [one for one in theirs.samples if one.name.startswith(hwmon.PREFIX)]
    samples = hwmon.collect(hwmon.HwmonOptions(sysfs=host / "sys"))
    # It is too old to know clocks.
    ours = {(one.name, one.labels): one.value for one in samples if "freq" not in f"{one.name}{one.labels}"}
    assert ours == {(one.name, one.labels): one.value for one in found}
    declared = set(hwmon.SPEC.metrics)
    assert {metric for metric in theirs.metrics if metric.name.startswith(hwmon.PREFIX)} <= declared
    assert {"node_hwmon_temp_alarm", "node_hwmon_temp_crit_hyst_celsius"} <= {one.name for one in found}
