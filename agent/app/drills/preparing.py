"""What a daemon needs for drills beside its own configuration: a watch, rules, remediations and a ticket target."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from agent.app.drills import scratch_service
from agent.app.drills.scenarios import HELD, SCENARIOS, SERVICE, TICKETS, TICKETS_ALERT, rules
from agent.config.acting import BreakerOptions, LimitOptions, RemediationOptions, StepOptions, VerifyOptions
from agent.config.option import Seconds
from agent.config.options import Config
from agent.incidents.policy import TicketPolicy
from collectors.processes import ProcessOptions, WatchedProcess
from remediations.mode import Mode
from remediations.sandbox import HostEnvironment
from rules import rulefile
from rules.rulefile import RuleFile

DISK = "disk"
"""The folder that is filled, below the drills' own."""
FILLING = "filling-*.log"
OWN = HostEnvironment()
"""Where a drill acts: on what the daemon has made for itself, as itself, wherever that runs."""
TICKET_POLICY = TicketPolicy(name=TICKETS, open="never", drills=True, alertname=TICKETS_ALERT)


def prepared(config: Config, folder: Path) -> Config:
    """Return the configuration with what drills in this folder need."""
    processes = config.collectors["processes"]
    options = processes.options or ProcessOptions()
    watch = WatchedProcess(name=SERVICE, pidfile=folder / scratch_service.PIDFILE, only_with_pidfile=True)
    watched = replace(processes, options=replace(options, watch=(*options.watch, watch)))
    roots = (*config.guards.free_space_roots, folder / DISK)
    return replace(
        config,
        collectors={**config.collectors, "processes": watched},
        guards=replace(config.guards, free_space_roots=roots),
        remediations=(*_remediations(folder), *config.remediations),
    )


def file(interval_seconds: float) -> RuleFile:
    """Return the rules that notice what a drill breaks."""
    return rulefile.parse(rules(), "drill", interval_seconds=interval_seconds)


def is_own(remediation: str) -> bool:
    """Tell whether a remediation is a drill's: `check` lets nobody else's be called so."""
    return remediation.startswith(SERVICE)


def start_command(folder: Path) -> list[str]:
    """Return what starts the scratch service in place of the one there is."""
    return [sys.executable, "-I", scratch_service.__file__, str(folder), "0", scratch_service.REPLACE]


def _remediations(folder: Path) -> tuple[RemediationOptions, ...]:
    restart = ("restart_command", {"name": SERVICE, "argv": start_command(folder)})
    free = ("free_space", {"root": str(folder / DISK), "patterns": [FILLING], "older_than": "1m"})
    repairs = {name: free if name == "disk-filling" else restart for name in SCENARIOS}
    return tuple(_remediation(name, *repair) for name, repair in repairs.items())


def _remediation(scenario: str, action: str, parameters: Mapping[str, object]) -> RemediationOptions:
    return RemediationOptions(
        name=f"{SERVICE}-{scenario}",
        match=(f'alertname="{SCENARIOS[scenario].alert}"', 'drill="true"'),
        mode=Mode.AUTO,
        steps=(StepOptions(action=action, timeout=Seconds(10.0), parameters=dict(parameters)),),
        precondition=f"{HELD.name} == 0",
        verify=VerifyOptions(hold=Seconds(1.0), timeout=Seconds(30.0)),
        limits=LimitOptions(cooldown=Seconds(0.0), attempts=100, runs=100),
        breaker=BreakerOptions(failures=100, of=100),
    )
