"""What every collector in the registry must keep to, on a small captured host and on an empty one."""

import ast
import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

import collectors
from collectors.exposition import NAME
from collectors.registry import SPECS
from collectors.sample import Sample
from collectors.spec import BusSpec, CollectError, CollectorSpec, Spec, TargetedSpec, WatchSpec
from collectors.systemd_units import REFUSED

FIXTURES = Path(__file__).parent / "fixtures"
ROOT = Path(collectors.__file__).parent
SOURCES = sorted(ROOT.rglob("*.py"))
CLOCKED = {"time", "probe_tcp", "probe_http", "program", "scrape"}
MAY_IMPORT = {"watch.journal": {"subprocess"}, "program": {"subprocess"}}
"""The journal has no other interface that is worth its price; plugins are programs."""
SHAPES = CollectorSpec | TargetedSpec | WatchSpec | BusSpec
every_spec = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)


def named(path: Path) -> str:
    """Return the module at the path, as seen from `collectors`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def made(spec: Spec, root: Path):
    """Options as the configuration makes them: only the roots are filled in."""
    places = {
        "procfs": root / "proc",
        "sysfs": root / "sys",
        "rootfs": root / "root",
        "directories": (root / "textfile",),
    }
    fields = {field.name for field in dataclasses.fields(spec.options)}
    return spec.options(**{name: place for name, place in places.items() if name in fields})


def samples(spec: Spec, root: Path) -> list[Sample]:
    options = made(spec, root)
    match spec:
        case CollectorSpec():
            return list(spec.collect(options))
        case TargetedSpec():
            return [sample for target in spec.targets(options) for sample in spec.collect(options, target)]
        case WatchSpec():
            watch = spec.open(options)
            try:
                return list(watch.snapshot())
            finally:
                watch.close()
        case BusSpec():
            units = [("cron.service", "Cron", "loaded", "active", "running"), ("a.mount", "", "loaded", "failed", "")]
            units.append(("b.socket", "", "loaded", "active", ""))
            properties = {
                "cron.service": {"Type": "simple", "NRestarts": 2, "paramedic.Cause": "exit"},
                "b.socket": {"NAccepted": 1, "NConnections": 1, "NRefused": 0},
                "": {"SystemState": "running"},
            }
            return list(spec.listed(options, units, properties))


def test_names_are_unique():
    names = [spec.name for spec in SPECS]
    assert len(names) == len(set(names))


def test_the_registry_lists_every_collector_there_is():
    defining = {named(path) for path in SOURCES if "\nSPEC = " in path.read_text()}
    listed = {spec.options.__module__.removeprefix("collectors.") for spec in SPECS}
    assert listed == defining


@every_spec
def test_a_collector_has_one_of_the_shapes(spec):
    assert isinstance(spec, SHAPES)


@every_spec
def test_every_option_has_a_default_and_none_can_be_changed(spec):
    options = spec.options()
    assert spec.options.__dataclass_params__.frozen
    for field in dataclasses.fields(options):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(options, field.name, None)


@every_spec
def test_declared_metrics_are_named_typed_and_explained(spec):
    assert spec.metrics
    for metric in spec.metrics:
        assert NAME.fullmatch(metric.name)
        # What node_exporter has, too, is explained in its words.
        assert metric.help.endswith(".") or metric.name.startswith(("node_", "process_"))
        assert metric.help
        assert not metric.name.endswith("_total") or metric.type in ("counter", "untyped") or metric is REFUSED


def test_a_metric_is_declared_in_the_same_words_everywhere():
    declared = {}
    for spec in SPECS:
        for metric in spec.metrics:
            assert declared.setdefault(metric.name, metric) == metric


@every_spec
def test_what_is_yielded_is_declared(spec):
    declared = {metric.name for metric in spec.metrics}
    undeclared = {sample.name for sample in samples(spec, FIXTURES)} - declared
    assert spec.open_metrics if undeclared and isinstance(spec, CollectorSpec | TargetedSpec) else not undeclared


@every_spec
def test_no_series_is_yielded_twice_and_labels_are_sorted_text_without_empty_values(spec):
    yielded = samples(spec, FIXTURES)
    assert len({(sample.name, sample.labels) for sample in yielded}) == len(yielded)
    for sample in yielded:
        assert isinstance(sample.value, float)
        assert list(sample.labels) == sorted(sample.labels)
        assert all(type(part) is str and part for pair in sample.labels for part in pair)


@every_spec
def test_the_captured_host_gives_something(spec):
    configured_only = {"nagios", "probe_tcp", "probe_http", "processes", "process_groups", "scrape", "journal", "files"}
    assert bool(samples(spec, FIXTURES)) is (spec.name not in configured_only)


@every_spec
def test_an_empty_host_raises_nothing_but_collect_errors(spec, tmp_path):
    try:
        samples(spec, tmp_path)
    except CollectError as error:
        assert str(tmp_path) in str(error)  # noqa: PT017 -- that there is none is fine too


@every_spec
def test_nonsense_raises_nothing_but_collect_errors(spec, tmp_path):
    for source in FIXTURES.rglob("*"):
        copy = tmp_path / source.relative_to(FIXTURES)
        if source.is_dir():
            copy.mkdir()
        else:
            copy.write_bytes(b"\xff nonsense: {\n" + source.read_bytes()[: len(source.read_bytes()) // 2])
    try:
        samples(spec, tmp_path)
    except CollectError as error:
        assert str(tmp_path) in str(error)  # noqa: PT017 -- as above


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_collector_knows_no_clock_thread_log_or_other_package_of_ours(path):
    forbidden = {"threading", "logging", "structlog", "agent", "rules", "remediations", "asyncio", "subprocess"}
    forbidden -= MAY_IMPORT.get(named(path), set())
    if named(path) not in CLOCKED:
        forbidden |= {"time", "datetime"}
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert not imported & forbidden


def test_what_only_some_hosts_need_is_not_imported_by_the_registry():
    heavy = "{'asyncio', 'ctypes', 'dbus_fast', 'http.client', 'psutil', 're2', 'requests', 'ssl'}"
    program = f"import sys, collectors.registry; print(*sorted({heavy} & set(sys.modules)))"
    argv = [sys.executable, "-c", program]
    root = Path(collectors.__file__).parents[1]
    assert subprocess.run(argv, capture_output=True, check=True, timeout=60, cwd=root).stdout.split() == []
