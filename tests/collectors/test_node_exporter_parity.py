"""Our samples against node_exporter's expected output for the captured /proc and /sys of its own tests.

The archive lies beside the repository and is not part of it; without it these tests are skipped.
"""

import re
import sys
import tarfile
from pathlib import Path

import pytest

from collectors import cpu, diskstats, filefd, loadavg, meminfo, netdev, pressure, stat, textfile, vmstat
from collectors.exposition import parse
from collectors.sample import labels

ARCHIVE = Path(__file__).resolve().parents[3] / "shared" / "node-exporter-fixtures.tar.gz"

# The names that are ours to yield, of each collector. The rest of the expected output belongs to later ones.
IN_SCOPE = {
    "cpu": r"node_cpu_(guest_)?seconds_total",
    "meminfo": r"node_memory_(?!numa).*",
    "loadavg": r"node_load\d+",
    "stat": r"node_(boot_time_seconds|context_switches_total|intr_total|forks_total|procs_running|procs_blocked)",
    "vmstat": r"node_vmstat_.*",
    # Not the node_disk_*info and ata ones: they come from udev's database, not from /proc.
    "diskstats": r"node_disk_(?!ata_)(?!.*info$).*",
    "pressure": r"node_pressure_.*",
    "filefd": r"node_filefd_.*",
}
SPECS = {module.SPEC.name: module.SPEC for module in (cpu, meminfo, loadavg, stat, vmstat, diskstats, pressure, filefd)}

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
    values = {(sample.name, sample.labels): sample.value for sample in exposition.samples}
    return values, {metric.name: metric.type for metric in exposition.metrics}


@pytest.mark.parametrize("name", IN_SCOPE)
def test_every_metric_in_scope_is_the_same(name, fixtures, expected, capsys):
    values, types = expected
    spec = SPECS[name]
    theirs = {series: value for series, value in values.items() if re.fullmatch(IN_SCOPE[name], series[0])}
    ours = {(one.name, one.labels): one.value for one in spec.collect(spec.options(procfs=fixtures / "proc"))}
    equal = sum(theirs.get(series) == value for series, value in ours.items())
    with capsys.disabled():
        sys.stdout.write(f"\ncompared {len(theirs)} samples of {name} with node_exporter's: {equal} equal\n")
    assert theirs
    assert ours == theirs
    declared = {metric.name: metric.type for metric in spec.metrics}
    assert {name: declared[name] for name, _ in ours} == {name: types[name] for name, _ in ours}


def test_types_of_network_metrics_are_the_same(expected):
    _, types = expected
    shared = {metric.name: metric.type for metric in netdev.SPEC.metrics if metric.name in types}
    # It asks the kernel over netlink, so there is no captured /proc/net/dev to compare values with.
    assert len(shared) == len(netdev.SPEC.metrics)
    assert shared == {name: types[name] for name in shared}


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
