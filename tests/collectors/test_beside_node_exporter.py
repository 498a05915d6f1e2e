"""Our samples beside those of a real node_exporter on the same host, read between two readings of ours."""

import shutil
import socket
import subprocess
import urllib.request

import pytest

from collectors import cpu, diskstats, filefd, filesystem, loadavg, meminfo, netdev, pressure, stat, uname, vmstat
from collectors.exposition import parse

BINARY = shutil.which("prometheus-node-exporter") or shutil.which("node_exporter")
POLLED = (cpu, diskstats, filefd, loadavg, meminfo, netdev, pressure, stat, uname, vmstat)
NAMES = [module.SPEC.name for module in (*POLLED, filesystem)]
TICK_SECONDS = 0.05
FIXED = {
    "node_filefd_maximum",
    "node_filesystem_files",
    "node_filesystem_readonly",
    "node_filesystem_size_bytes",
    "node_memory_MemTotal_bytes",
    "node_memory_SwapTotal_bytes",
    "node_uname_info",
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
]


def ours():
    """Return value and type by series; a healthy mount has no device_error, so the labels are the same."""
    found = {}
    for module in POLLED:
        found |= typed(module.SPEC, module.collect(module.SPEC.options()))
    options = filesystem.FilesystemOptions()
    for target in filesystem.targets(options):
        found |= typed(filesystem.SPEC, filesystem.collect(options, target))
    return found


def typed(spec, samples):
    types = {metric.name: metric.type for metric in spec.metrics}
    return {(sample.name, sample.labels): (sample.value, types.get(sample.name)) for sample in samples}


@pytest.fixture(scope="module")
def readings():
    """Return what we read before, what node_exporter says, and what we read after."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    collectors = [f"--collector.{name}" for name in NAMES]
    argv = [BINARY, f"--web.listen-address={address}", "--collector.disable-defaults", *collectors, *FILTERS]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as exporter:
        try:
            assert any("Listening on" in line for line in exporter.stderr), "node_exporter did not start"
            before = ours()
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=20) as answer:
                theirs = parse(answer.read().decode())
            after = ours()
        finally:
            exporter.terminate()
    types = {metric.name: metric.type for metric in theirs.metrics}
    mine = {metric.name for module in (*POLLED, filesystem) for metric in module.SPEC.metrics}
    return before, {(one.name, one.labels): one.value for one in theirs.samples if one.name in mine}, types, after


def test_the_series_are_the_same(readings):
    before, theirs, _, after = readings
    # Processes of other tests may mount and unmount, so what one of two readings has will do.
    missing = theirs.keys() - (before.keys() | after.keys())
    # What a newer kernel tells and an older node_exporter does not take; device errors are told by name by us.
    extra = {series for series in before.keys() & after.keys() if series not in theirs and series[0] in names(theirs)}
    assert not missing
    assert not extra


def names(samples):
    return {name for name, _ in samples}


def test_the_types_are_the_same(readings):
    before, theirs, types, _ = readings
    for series in theirs.keys() & before.keys():
        assert before[series][1] == types[series[0]], series


def test_counters_lie_between_our_two_readings(readings):
    before, theirs, types, after = readings
    compared = 0
    for series in theirs.keys() & before.keys() & after.keys():
        if types[series[0]] == "counter":
            assert before[series][0] - TICK_SECONDS <= theirs[series] <= after[series][0] + TICK_SECONDS, series
            compared += 1
    assert compared > 50


def test_what_does_not_change_is_equal(readings):
    before, theirs, _, _ = readings
    fixed = {series for series in theirs.keys() & before.keys() if series[0] in FIXED}
    assert names(fixed) == FIXED
    assert {series: before[series][0] for series in fixed} == {series: theirs[series] for series in fixed}
