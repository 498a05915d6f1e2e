"""The commands about incidents, and about the remediations that work on them."""

from typing import Any

from agent.cli.change_parser import proposal
from agent.cli.grammar import client, command, point_in_time, seconds, verbs_of


def incidents(commands: Any) -> None:  # noqa: ANN401 - argparse's own type is private
    verbs = verbs_of(commands, "incident", "show incidents, and take charge of them")
    listing = command(verbs, "list", "list incidents, newest first", module="incidents")
    listing.add_argument("--state", default="", help='"active", or a state such as "escalated"; default: not closed')
    listing.add_argument("--limit", type=int, default=100, metavar="N", help="how many at most; default: 100")
    show = command(verbs, "show", "show one incident with everything that was done", module="incidents")
    ack = command(verbs, "ack", 'say "mine": automation on the incident pauses', module="incidents")
    ack.add_argument("--for", dest="until", type=seconds, metavar="DURATION", help='how long, e.g. "2h"; default: open')
    release = command(verbs, "release", "give an acknowledged incident back to automation", module="incidents")
    resolve = command(verbs, "resolve", "declare an incident over", module="incidents")
    decline = command(
        verbs,
        "decline",
        "won't fix: close it, and do nothing more about it until its alert has ended",
        module="incidents",
        example='paramedic incident decline 1mcc5rm00zjbx --for 30d --comment "the disk is being replaced"',
    )
    decline.add_argument(
        "--for", dest="until", type=seconds, metavar="DURATION", help="at least so long, even if it comes and goes"
    )
    major = command(verbs, "major", "declare a major incident, which stands above all priorities", module="incidents")
    major.add_argument("--withdraw", action="store_true", help="it is none any more")
    retry = command(verbs, "retry", "lift the cool-down, once", module="incidents")
    retry.add_argument("--reason", required=True, help="why another attempt is right now; it goes on record")
    approve = command(
        verbs,
        "approve",
        "let the plan run that waits for approval, or is proposed only",
        module="incidents",
        example='paramedic incident approve 1mcc5rm00zjbx --comment "after the backup"',
    )
    reject = command(
        verbs, "reject", "say that the plan that waits for approval, or is proposed, is wrong", module="incidents"
    )
    for each in (approve, reject):
        each.add_argument(
            "--plan", default="", metavar="ID", help="only this plan; default: the one that waits, which is shown"
        )
    for each in (ack, decline, major, resolve, approve, reject):
        each.add_argument("--comment", default="", help="goes on record")
    for each in (show, ack, approve, decline, major, reject, release, resolve, retry):
        each.add_argument("id", metavar="ID", help="as `incident list` shows it")
    for each in (listing, show, ack, approve, decline, major, reject, release, resolve, retry):
        client(each)


def remediations(commands: Any) -> None:  # noqa: ANN401 - argparse's own type is private
    verbs = verbs_of(commands, "remediation", "show what remediations have earned, and trust them further")
    listing = command(
        verbs,
        "list",
        "list remediations with mode, proposals, verified success, breaker and refusals",
        module="remediations",
    )
    show = command(
        verbs,
        "show",
        "show one remediation: its mode, what its proposals came to, and what the next mode needs",
        module="remediations",
    )
    show.add_argument("name", metavar="NAME", help="as `remediation list` shows it")
    plan = command(
        verbs,
        "plan",
        "show what a remediation would run now, by whom, and what each guard says; nothing is started",
        module="rehearsal",
        example="paramedic remediation plan restart-web --label name=nginx.service",
    )
    plan.add_argument("name", metavar="NAME", help="as `remediation list` shows it")
    plan.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the alert; what its `match` asks for is there",
    )
    plan.add_argument("--value", type=float, default=0.0, metavar="X", help="of the alert; default: 0")
    plan.add_argument("--origin", default="local", help="where the alert comes from; default: local")
    promote = command(
        verbs,
        "promote",
        "let a remediation go one mode further (observe, propose, approve, auto), on the evidence of proposals that"
        " were proven correct",
        module="remediations",
        example='paramedic remediation promote restart-web --to approve --reason "three times right"',
    )
    promote.add_argument("name", metavar="NAME", help="as `remediation list` shows it")
    promote.add_argument(
        "--to", default=None, choices=("propose", "approve", "auto"), help="refuse unless this is the next mode"
    )
    promote.add_argument("--reason", required=True, help="why it may be trusted further; it goes on record")
    for each in (listing, show, plan, promote):
        client(each)


def oncall(commands: Any) -> None:  # noqa: ANN401 - argparse's own type is private
    made = command(
        commands,
        "oncall",
        "tell who is on call for which services, until when, and who follows",
        module="oncall",
        example="paramedic oncall --at 2026-12-24T18:00",
    )
    made.add_argument("--at", type=point_in_time, metavar="TIME", help="when; default: now")
    client(made)
    stand_in = command(
        made.add_subparsers(title="what else", metavar="WHAT"),
        "stand-in",
        "let somebody be on call on a rota for a while, whatever it says",
        module="oncall",
        example='paramedic oncall stand-in web bob --for 4h --reason "ann is ill"   or   … stand-in web --end',
    )
    stand_in.add_argument("rota", metavar="ROTA", help="as `oncall` shows it")
    stand_in.add_argument("person", metavar="PERSON", nargs="?", default="", help="who; needed with --for")
    span = stand_in.add_mutually_exclusive_group(required=True)
    span.add_argument("--for", dest="duration", type=seconds, metavar="DURATION", help="how long, as in 90m or 2d")
    span.add_argument("--end", action="store_true", help="end it now")
    stand_in.add_argument("--reason", default="", help="goes on record")
    client(stand_in)


def problems(commands: Any) -> None:  # noqa: ANN401 - argparse's own type is private
    verbs = verbs_of(commands, "problem", "show faults that come back, and write down what is known about them")
    listing = command(verbs, "list", "list problems, newest first", module="problems")
    listing.add_argument("--all", action="store_true", help="closed ones, too")
    show = command(verbs, "show", "show one problem with its incidents", module="problems")
    explain = command(
        verbs,
        "explain",
        "write down what was found out; the workaround goes into the ticket of the next incident",
        module="problems",
        example='paramedic problem explain problem-1mcc5rm00zjbx --workaround "empty /var/cache/shop"',
    )
    for name, text in (
        ("owner", "who solves it"),
        ("cause", "why it happens"),
        ("workaround", "what helps until it is solved"),
        ("permanent-fix", "what will solve it"),
    ):
        explain.add_argument(f"--{name}", default=None, metavar="TEXT", help=text)
    close = command(verbs, "close", "declare the cause removed; the count starts again", module="problems")
    close.add_argument("--reason", required=True, help="what removed it; it goes on record")
    change = command(
        verbs,
        "request-change",
        "ask for the change that removes the cause",
        module="problems",
        example='paramedic problem request-change problem-1mcc5rm00zjbx --reason "a larger disk for /var"',
    )
    change.add_argument("--subject", default="", metavar="WHAT", help="what is to be changed; default: the symptom")
    proposal(change)
    for each in (show, explain, close, change):
        each.add_argument("id", metavar="ID", help="as `problem list` shows it")
    for each in (listing, show, explain, close, change):
        client(each)


def capacity(commands: Any) -> None:  # noqa: ANN401 - argparse's own type is private
    outlook = command(
        commands,
        "capacity",
        "when filesystems, memory, CPU and other resources will be full, or why that cannot be told",
        module="capacity",
        example="paramedic capacity --soon 90d",
    )
    outlook.add_argument(
        "resource", nargs="?", default="", metavar="RESOURCE", help='only this one, e.g. "filesystem"; default: all'
    )
    outlook.add_argument("--soon", type=seconds, metavar="DURATION", help="only what will be full within so long")
    client(outlook)


def services(commands: Any) -> None:  # noqa: ANN401 - argparse's own type is private
    catalogue = command(
        commands,
        "service",
        "show the service catalogue: what was agreed about each service, and how it stands",
        module="services",
        example="paramedic service shop",
    )
    catalogue.add_argument("name", nargs="?", default="", metavar="NAME", help="everything about one; default: all")
    client(catalogue)


def tickets(commands: Any) -> None:  # noqa: ANN401 - argparse's own type is private
    verbs = verbs_of(commands, "ticket", "read the embedded ticket book")
    listing = command(verbs, "list", "list open tickets, newest first", module="tickets")
    listing.add_argument("--all", action="store_true", help="closed ones, too")
    listing.add_argument("--limit", type=int, default=100, metavar="N", help="how many at most; default: 100")
    show = command(verbs, "show", "print one ticket with its comments", module="tickets")
    show.add_argument("id", metavar="ID", help="as `ticket list` shows it")
    for each in (listing, show):
        client(each)


def articles(commands: Any) -> None:  # noqa: ANN401 - argparse's own type is private
    verbs = verbs_of(commands, "article", "read what is known about alerts, and search it")
    listing = command(
        verbs, "list", "list articles, and drafts that wait for somebody to finish them", module="articles"
    )
    show = command(
        verbs, "show", "print one article", module="articles", example="paramedic article show disk-space-low"
    )
    show.add_argument("name", metavar="NAME", help="as `article list` shows it")
    search = command(
        verbs,
        "search",
        "search all of their text, best first",
        module="articles",
        example="paramedic article search inodes",
    )
    search.add_argument("words", nargs="+", metavar="WORD", help="what to look for")
    search.add_argument("--limit", type=int, default=10, metavar="N", help="how many at most; default: 10")
    draft = command(
        verbs,
        "draft",
        "print an article to be finished, written from the timeline of an incident",
        module="articles",
        example="paramedic article draft 1mcc5rm00zjbx > /etc/paramedic/articles/shop-slow.md",
    )
    draft.add_argument("id", metavar="INCIDENT", help="as `incident list` shows it")
    for each in (listing, show, search, draft):
        client(each)
