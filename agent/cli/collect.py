"""`paramedic collect --once`: what the collectors say, without a daemon."""

import argparse
import os
from collections.abc import Collection
from dataclasses import replace

from agent.cli import screen
from agent.clock import SystemClock
from agent.collecting.health import METRICS
from agent.collecting.host import collect_once
from agent.config import paths
from agent.config.load import load
from agent.config.problems import ConfigError, Problem, unknown
from agent.telemetry import log
from collectors.exposition import render
from collectors.registry import SPECS
from collectors.sample import Failure, Sample


def run(args: argparse.Namespace) -> int:
    """Print every sample; what could not be read goes to standard error and, if it was asked for, fails the command."""
    log.silence()
    config = load(paths.config_path(args.config, os.environ), os.environ)
    settings = config.collectors
    if args.only:
        _refuse_unknown(args.only, settings)
        settings = {name: replace(settings[name], enabled=True) for name in args.only}
    said = collect_once(settings, SPECS, clock=SystemClock())
    failures = [each for each in said if isinstance(each, Failure)]
    for failure in failures:
        screen.say(f"{failure.source.collector} {failure.source.target}: {failure.reason}".replace(" : ", ": "))
    samples = [sample for each in said if not isinstance(each, Failure) for sample in each.samples]
    if args.json:
        screen.show_json([_document(sample) for sample in samples])
    else:
        print(render((*METRICS, *(metric for spec in SPECS for metric in spec.metrics)), samples), end="")
    return 1 if args.only and failures else 0


def _refuse_unknown(names: list[str], known: Collection[str]) -> None:
    wrong = [name for name in names if name not in known]
    if wrong:
        raise ConfigError(Problem("--only", unknown("collector", name, known)) for name in wrong)


def _document(sample: Sample) -> dict[str, object]:
    return {"name": sample.name, "labels": dict(sample.labels), "value": sample.value}
