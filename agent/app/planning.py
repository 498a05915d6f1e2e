"""From a configured remediation and an incident to exact plans: templates are rendered here, once, and never again."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache

from agent.app.drills import preparing
from agent.config import acting, people, services
from agent.config.acting import RemediationOptions, StepOptions
from agent.config.options import Config
from agent.engine.situations import Planned, Planner
from agent.incidents.incident import Incident
from agent.incidents.policy import Ladder, Policy, TicketPolicy, Verify
from remediations import parameters, registry, sandbox
from remediations.limits import KindLimits
from remediations.parameters import Render
from remediations.plan import PlanError
from remediations.sandbox import HostEnvironment
from remediations.spec import Context, Privilege
from rules import matchers
from rules.annotations import Template, TemplateError, compile_template

_AS_ROOT = ("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_SYS_PTRACE")
"""What a script may do that the configuration runs as root."""


def policy(config: Config, *, publish: Sequence[str]) -> Policy:
    """Return what deciding needs of the configuration."""
    systems = tuple(TicketPolicy(name=t.name or t.system, open=t.open, drills=t.drills) for t in config.tickets)
    systems = systems or (TicketPolicy(name="book"),)
    return Policy(
        ladders=tuple(_ladder(options, config) for options in config.remediations),
        kinds=_kinds(config),
        worth={name: acting.worth(options) for name, options in config.actions.items()},
        tickets=(*systems, preparing.TICKET_POLICY) if config.drill.enabled else systems,
        publish=tuple(publish),
        catalogue=services.catalogue(config),
        priorities=services.priorities(config),
        routes=people.routes(config),
        roster=people.roster(config),
        chains=people.chains(config),
        acknowledged_for=config.incidents.acknowledged_for,
        reopen_window=config.incidents.reopen_window,
        no_data_after=config.incidents.no_data_after,
        approval_timeout=config.approvals.timeout,
        approval_reminder=config.approvals.remind,
    )


def _kinds(config: Config) -> dict[str, KindLimits]:
    """Return the limits of action kinds: an action's own number of runs holds whatever the configuration says."""
    kinds = {name: acting.kind_limits(options) for name, options in config.actions.items()}
    own = {name: spec.limits for name, spec in registry.ACTIONS.items() if spec.limits.runs is not None}
    return kinds | {name: replace(kinds.get(name, most), runs=most.runs, per=most.per) for name, most in own.items()}


def _ladder(options: RemediationOptions, config: Config) -> Ladder:
    return Ladder(
        name=options.name,
        matchers=tuple(matchers.parse(text) for text in options.match),
        mode=options.mode,
        steps=tuple(step.action for step in options.steps),
        origins=frozenset(str(origin) for origin in options.origins),
        verify=Verify(
            hold=options.verify.hold,
            timeout=options.verify.timeout,
            expr=options.verify.expr,
            worse_if=options.verify.worse_if,
        ),
        limits=acting.limits(options.limits, config.guards, options.breaker),
        target=acting.target(options.target),
        emergency=options.emergency,
        precondition=options.precondition,
        approvers=options.approvers or config.approvals.approvers,
        max_mode=options.max_mode,
        version=_version(options),
    )


def _version(options: RemediationOptions) -> str:
    """Return what tells this remediation from one of the same name that does something else, or begins elsewhere."""
    does = (options.mode, options.match, options.origins, options.steps, options.compensate, options.verify)
    return hashlib.sha256(repr(does).encode()).hexdigest()[:16]


def planner(config: Config, environment: HostEnvironment) -> Planner:
    """Return what plans every step of a ladder for an incident."""
    by_name = {options.name: options for options in config.remediations}
    actions = acting.context(config.guards, helper=environment.helper)
    units = listed_units(config)

    def plans(ladder: Ladder, incident: Incident) -> tuple[Planned, ...]:
        options = by_name[ladder.name]
        render = _renderer(incident)
        steps = (*options.steps, *((options.compensate,) if options.compensate is not None else ()))
        where = preparing.OWN if preparing.is_own(ladder.name) else environment
        planned = (_listed(_plan(step, render, actions, where), units) for step in steps)
        return tuple(_prefaced(each, options, render) for each in planned)

    return plans


def _prefaced(planned: Planned, options: RemediationOptions, render: Render) -> Planned:
    """Return the step with what is to be run before it: a command that must succeed, and what is captured."""
    try:
        wanted = parameters.command(options.precondition_command, render) if options.precondition_command else ()
    except PlanError as error:
        return replace(planned, plan=None, error=planned.error or f"precondition_command: {error}")
    diagnostics = []
    for words in options.diagnostics:
        with suppress(PlanError):  # what the alert does not have the labels for cannot be captured, and is not needed
            diagnostics.append(parameters.command(words, render))
    return replace(planned, precondition=wanted, diagnostics=tuple(diagnostics))


def _renderer(incident: Incident) -> Render:
    def render(text: str) -> str:
        try:
            return _template(text).expand(incident.labels, incident.value)
        except TemplateError as error:
            raise PlanError(str(error)) from error

    return render


def listed_units(config: Config) -> frozenset[str]:
    """Return the units that actions may touch: those of `[guards] units`, and those that steps name literally."""
    literal = {
        _literal_unit(step)
        for options in config.remediations
        for step in (*options.steps, options.compensate)
        if step is not None and registry.action(step.action).unit_verb
    }
    return frozenset(unit for unit in (*config.guards.units, *literal) if unit)


def _literal_unit(step: StepOptions) -> str:
    """Return the unit that a step acts on whatever the alert says; empty: that depends on the alert."""

    def refuse(template: str) -> str:
        raise PlanError(template)

    try:
        return registry.plan(step.action, step.parameters, Context(), refuse).resource.removeprefix("unit:")
    except PlanError:
        return ""


def _listed(planned: Planned, units: frozenset[str]) -> Planned:
    """Return the step, refused if it would touch a unit that nobody listed."""
    if planned.plan is None or not registry.action(planned.action).unit_verb:
        return planned
    unit = planned.plan.resource.removeprefix("unit:")
    if unit in units:
        return planned
    return replace(planned, plan=None, error=f"{unit} is not listed: add it to [guards] units")


def _plan(step: StepOptions, render: Render, actions: Context, environment: HostEnvironment) -> Planned:
    spec = registry.action(step.action)
    planned = Planned(
        action=step.action, timeout=step.timeout, disruptive=spec.disruptive, restarts_host=spec.restarts_host
    )
    try:
        forbidden = sandbox.refusal_reason(spec, environment)
        if forbidden is not None:
            return replace(planned, error=sandbox.EXPLANATIONS[forbidden])
        plan = registry.plan(step.action, step.parameters, actions, render)
        return replace(planned, plan=replace(plan, by="helper") if environment.helper else plan)
    except PlanError as error:
        return replace(planned, error=str(error))


def privilege(step: StepOptions) -> Privilege:
    """Return what the root helper is to give a step."""
    own = registry.action(step.action).privilege
    if not step.user:
        return own
    more = step.user == "root" and own.user != "root"
    return replace(own, user=step.user, capabilities=_AS_ROOT if more else own.capabilities)


@cache
def _template(text: str) -> Template:
    return compile_template(text, "remediation parameter")
