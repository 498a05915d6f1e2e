"""Every action there is. Nothing is discovered: what acts on the host stands in this table."""

import difflib
from collections.abc import Mapping

from remediations import parameters
from remediations.actions import (
    free_space,
    http_call,
    kill_process,
    reboot_host,
    renice_process,
    restart_command,
    restart_container,
    run_script,
    trigger_timer,
    unit_verbs,
    vacuum_journal,
)
from remediations.parameters import Render
from remediations.plan import Plan, PlanError
from remediations.spec import ActionSpec, Context

ACTIONS: Mapping[str, ActionSpec] = {
    spec.name: spec
    for spec in (
        *unit_verbs.SPECS,
        trigger_timer.SPEC,
        restart_command.SPEC,
        restart_container.SPEC,
        run_script.SPEC,
        http_call.SPEC,
        kill_process.SPEC,
        renice_process.SPEC,
        free_space.SPEC,
        vacuum_journal.SPEC,
        reboot_host.SPEC,
    )
}


def action(name: str) -> ActionSpec:
    """Return the action; raise PlanError naming the nearest one where there is none."""
    if name in ACTIONS:
        return ACTIONS[name]
    near = difflib.get_close_matches(name, ACTIONS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(ACTIONS)}"
    raise PlanError(f"action {name[:80]!a}: no such action; {hint}")


def plan(name: str, raw: Mapping[str, object], context: Context, render: Render) -> Plan:
    """Return what the action would run with these parameters; raise PlanError. `render`: see `parameters.parse`."""
    spec = action(name)
    return spec.plan(parameters.parse(spec, raw, render), context)
