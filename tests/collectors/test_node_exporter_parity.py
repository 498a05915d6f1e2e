"""Our samples against node_exporter's expected output for the captured /proc and /sys of its own tests.

What is compared with lies beside the repository and is not part of it; without it these tests are skipped.
"""

import dataclasses
import re
import sys
import tarfile
from pathlib import Path

import pytest

from agent.collecting import health
from collectors import netstat, textfile
from collectors.exposition import parse
from collectors.registry import SPECS
from collectors.sample import labels

SHARED = Path(__file__).resolve().parents[3] / "shared"
ARCHIVE = SHARED / "node-exporter-fixtures.tar.gz"
WANTED = SHARED / "notes/ecosystem.md"
WANTED_ROW = re.compile(r"^\| \w+ \| \d+ \| \d+ \| ([^|]+) \|", re.MULTILINE)
"""A collector, how many metrics, how many of them psutil can, and their names."""
RENAMED = {"node_kernel_hung_tasks": "node_kernel_hung_tasks_total"}
"""What node_exporter calls it."""

# The names that each collector yields. What is not matched is of no use to a public rule or dashboard.
IN_SCOPE = {
    "arp": r"node_arp_.*",
    "bonding": r"node_bonding_.*",
    "conntrack": r"node_nf_conntrack_entries(_limit)?",
    "cpu": r"node_cpu_(guest_)?seconds_total",
    "cpufreq": r"node_cpu_scaling_frequency_.*",
    # Not the node_disk_*info and ata ones: they come from udev's database, not from /proc.
    "diskstats": r"node_disk_(?!ata_)(?!.*info$).*",
    "edac": r"node_edac_(un)?correctable_.*",
    "entropy": r"node_entropy_.*",
    "filefd": r"node_filefd_.*",
    "hwmon": r"node_hwmon_.*",
    "interrupts": r"node_interrupts_total",
    "kernel_hung": r"node_kernel_hung_.*",
    "loadavg": r"node_load\d+",
    # Not those that it reads of every array in /sys and that /proc/mdstat says already.
    "mdadm": r"node_md_(?!degraded|raid_disks).*",
    "meminfo": r"node_memory_(?!numa).*",
    "netclass": r"node_network_(up|carrier|mtu_bytes|speed_bytes)",
    "netstat": r"node_netstat_.*",
    "powersupply": r"node_power_supply_(online|present|capacity)",
    "pressure": r"node_pressure_.*",
    "processes_summary": r"node_processes_.*",
    "schedstat": r"node_schedstat_.*",
    "sockstat": r"node_sockstat_.*",
    "softnet": r"node_softnet_.*",
    "stat": r"node_(boot_time_seconds|context_switches_total|intr_total|forks_total|procs_running|procs_blocked)",
    "thermal_zone": r"node_(thermal_zone|cooling_device)_.*",
    "udp_queues": r"node_udp_queues",
    "vmstat": r"node_vmstat_.*",
}
# With what its own test run sets.
OPTIONS = {
    "arp": {"device_exclude": "nope"},
    "hwmon": {"chip_exclude": "bogus"},
    "netclass": {"device_exclude": "^(dmz|int)$"},
    # It leaves Tcp_MaxConn out, which the dashboard shows.
    "netstat": {"fields": netstat.NetstatOptions().fields.replace("|MaxConn", "")},
}
# They ask the kernel, the clock and the disk, so there are no values to compare, but names, types and help texts.
NOT_CAPTURED = ("netdev", "textfile", "time")
BY_NAME = {spec.name: spec for spec in SPECS}

NOT_COMPARED = {
    "metrics_merge_different_help": "it merges all files and refuses a second HELP; for us each file is a source",
    "summary_extra_dimension": "it invents a sum and a count of 0 for a summary that has none in the file",
}
TEXTFILE_CASES = (
    "client_side_timestamp",
    "different_metric_types",
    "histogram",
    "histogram_extra_dimension",
    "inconsistent_metrics",
    "metrics_merge_empty_help",
    "metrics_merge_no_help",
    "metrics_merge_same_help",
    "no_metric_files",
    "summary",
    "two_metric_files",
)


@pytest.fixture(scope="module")
def fixtures(tmp_path_factory):
    if not ARCHIVE.is_file():
        pytest.skip(f"the captured host of node_exporter's tests is not at ../shared/{ARCHIVE.name}")
    folder = tmp_path_factory.mktemp("node_exporter")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder / "node-exporter-fixtures"


@pytest.fixture(scope="module")
def expected(fixtures):
    exposition = parse((fixtures / "e2e-output.txt").read_text())
    # A label without a value is none.
    values = {(one.name, tuple(pair for pair in one.labels if pair[1])): one.value for one in exposition.samples}
    return values, {metric.name: metric for metric in exposition.metrics}


def ours(name, fixtures):
    """Return value by series as the collector reads them from the captured host."""
    spec = BY_NAME[name]
    places = {"procfs": fixtures / "proc", "sysfs": fixtures / "sys"}
    fields = {field.name for field in dataclasses.fields(spec.options)}
    options = {option: place for option, place in places.items() if option in fields}
    found = spec.collect(spec.options(**options, **OPTIONS.get(name, {})))
    return {(one.name, one.labels): one.value for one in found}


def theirs(name, expected):
    return {series: value for series, value in expected[0].items() if re.fullmatch(IN_SCOPE[name], series[0])}


@pytest.mark.parametrize("name", IN_SCOPE)
def test_every_metric_in_scope_is_the_same(name, fixtures, expected):
    wanted = theirs(name, expected)
    assert wanted
    assert ours(name, fixtures) == wanted


@pytest.mark.parametrize("name", IN_SCOPE)
def test_every_type_and_help_in_scope_is_the_same(name, expected):
    declared = {metric.name: metric for metric in BY_NAME[name].metrics}
    names = {series for series, _ in theirs(name, expected)}
    assert {name: declared.get(name) for name in names} == {name: expected[1][name] for name in names}


def test_all_that_public_rules_and_the_dashboard_need_is_declared():
    if not WANTED.is_file():
        pytest.skip(f"the list of what they need is not at ../shared/notes/{WANTED.name}")
    listed = re.split(r"[,\s*]+", " ".join(WANTED_ROW.findall(WANTED.read_text())))
    whole = {name if name.startswith(("node_", "process_")) else f"node_{name}" for name in filter(None, listed)}
    assert len(whole) == 238
    declared = {metric.name for metric in (*health.METRICS, *(one for spec in SPECS for one in spec.metrics))}
    assert {RENAMED.get(name, name) for name in whole} <= declared


def test_how_much_is_compared(fixtures, expected, capsys):
    compared = equal = 0
    names = set()
    declared = {metric for spec in SPECS for metric in spec.metrics}
    for name in IN_SCOPE:
        wanted = theirs(name, expected)
        found = ours(name, fixtures)
        compared += len(wanted)
        equal += sum(found.get(series) == value for series, value in wanted.items())
        names |= {series for series, _ in wanted}
    described = sum(expected[1][name] in declared for name in names)
    with capsys.disabled():
        sys.stdout.write(
            f"\ncompared {compared} samples of {len(names)} metrics with node_exporter's: {equal} equal,"
            f" {described} HELP and TYPE lines equal\n"
        )
    assert described == len(names)
    assert equal == compared >= 900


@pytest.mark.parametrize("name", NOT_CAPTURED)
def test_what_was_not_captured_is_described_the_same(name, expected):
    declared = {metric.name: metric for metric in BY_NAME[name].metrics}
    assert declared == {name: expected[1][name] for name in declared}


def test_the_health_of_collectors_is_described_the_same(expected):
    for metric in (health.DURATION, health.SUCCESS):
        assert metric == expected[1][metric.name]


@pytest.mark.parametrize("case", TEXTFILE_CASES)
def test_textfiles_are_read_the_same(case, fixtures):
    folder = fixtures / "textfile" / case
    expected = parse((fixtures / "textfile" / f"{case}.out").read_text())
    theirs = {
        (sample.name, sample.labels): sample.value
        for sample in expected.samples
        if sample.name != textfile.MTIME.name  # set to 1 there, because its tests copy the files
    }
    options = textfile.TextfileOptions(directories=(folder,))
    ours = {}
    for target in textfile.targets(options):
        try:
            yielded = list(textfile.collect(options, target))
        except textfile.CollectError:
            continue
        ours |= {(sample.name, sample.labels): sample.value for sample in yielded}
    stamped = {series for series in ours if series[0] == textfile.MTIME.name}
    failed = theirs[(textfile.SCRAPE_ERROR.name, ())]
    assert stamped == {(textfile.MTIME.name, labels(file=str(path))) for path in folder.glob("*.prom") if not failed}
    assert {series: value for series, value in ours.items() if series not in stamped} == theirs


def test_every_captured_textfile_case_is_compared_or_has_a_reason(fixtures):
    cases = {path.stem for path in (fixtures / "textfile").glob("*.out") if (path.parent / path.stem).is_dir()}
    assert cases == set(TEXTFILE_CASES) | set(NOT_COMPARED)
