"""The commands about reports, what they suggest, and reviews."""

from typing import Any

from agent.cli.grammar import client, command, number, seconds, verbs_of, written_time


def reports(commands: Any) -> None:  # noqa: ANN401 - argparse's own type is private
    report = command(
        commands,
        "report",
        "key figures of a period, from the record; what was published, and the same computed again",
        module="report",
        example="paramedic report monthly --form html --out september.html",
    )
    report.add_argument(
        "what",
        nargs="?",
        choices=("weekly", "monthly", "list", "show", "controls"),
        default="weekly",
        help="the last whole week (the default) or month; list: what was published; show: one of these; controls: the"
        " records of the last whole month, or of --from and --to, that prove each ITIL practice and COBIT objective",
    )
    report.add_argument("id", nargs="?", default="", metavar="ID", help="of the report to show")
    report.add_argument(
        "--from", dest="start", type=written_time, metavar="TIME", help="begin of another period, e.g. 2026-01-31"
    )
    report.add_argument(
        "--to", dest="end", type=written_time, metavar="TIME", help="its end; default: now, at most now"
    )
    report.add_argument(
        "--zone", default="UTC", metavar="NAME", help='time zone of days and times, e.g. "Europe/Berlin"; default: UTC'
    )
    report.add_argument(
        "--form",
        choices=("markdown", "html", "json", "csv"),
        default="markdown",
        help="default: markdown; controls: json or csv",
    )
    report.add_argument("--out", metavar="FILE", help="write it there; default: print it")
    report.add_argument(
        "--publish", action="store_true", help="keep it, with everything it was computed from, instead of printing it"
    )
    report.add_argument("--send", nargs="+", default=[], metavar="CHANNEL", help="publish it, and send it there")
    client(report)


def suggestions(commands: Any) -> None:  # noqa: ANN401 - argparse's own type is private
    verbs = verbs_of(commands, "suggestion", "what reports and reviews want done: by whom, by when, until it is")
    listing = command(verbs, "list", "list suggestions, the most urgent first", module="suggestions")
    listing.add_argument("--all", action="store_true", help="closed ones, too")
    assign = command(
        verbs,
        "assign",
        "say who sees to it, and by when",
        module="suggestions",
        example="paramedic suggestion assign s-1f2e3d4c --owner ann --due 2026-12-24",
    )
    assign.add_argument("--owner", default="", metavar="NAME", help="who sees to it")
    assign.add_argument("--due", default="", metavar="DATE", help="by when, e.g. 2026-12-24")
    close = command(
        verbs,
        "close",
        "declare it done; it comes back if a later period shows the same again",
        module="suggestions",
        example='paramedic suggestion close s-1f2e3d4c --reason "wanted so" --accept 90d',
    )
    close.add_argument("--reason", required=True, help="what was done, or why nothing is; it goes on record")
    close.add_argument(
        "--accept", type=seconds, default=0.0, metavar="DURATION", help="for how long it may be found again unsaid"
    )
    for each in (assign, close):
        each.add_argument("id", metavar="ID", help="as `suggestion list` shows it")
    for each in (listing, assign, close):
        client(each)


def reviews(commands: Any) -> None:  # noqa: ANN401 - argparse's own type is private
    verbs = verbs_of(commands, "review", "what a periodic review has to look at, and what it decided")
    due = command(
        verbs,
        "due",
        "list what to look at now: goals, silences, disabled rules, approvals, noise, problems, of the last 30 days",
        module="reviews",
    )
    record = command(
        verbs,
        "record",
        "write down what was decided; each action becomes a suggestion",
        module="reviews",
        example='paramedic review record --decision "keep the goal" --action "split the disk" --owner ann',
    )
    record.add_argument("--decision", action="append", default=[], metavar="TEXT", help="can be repeated")
    record.add_argument("--action", action="append", default=[], metavar="TEXT", help="can be repeated")
    record.add_argument("--owner", default="", metavar="NAME", help="who sees to the actions")
    record.add_argument("--due", default="", metavar="DATE", help="by when; default: in two weeks")
    record.add_argument("--report", default="", metavar="ID", help="the report that was reviewed")
    listing = command(verbs, "list", "list reviews with their decisions and actions, newest first", module="reviews")
    for each in (due, record, listing):
        client(each)


def overrides(commands: Any) -> None:  # noqa: ANN401 - argparse's own type is private
    verbs = verbs_of(commands, "override", "another limit for one service's alerts of a rule, until it expires")
    put = command(
        verbs,
        "set",
        "put another number into the rule's expression for a while; it goes on record, and into reviews",
        module="overrides",
        example='paramedic override set DiskSpaceLow 0.02 --service archive --for 7d --reason "migration"',
    )
    put.add_argument("rule", metavar="RULE", help="its `alert:`")
    put.add_argument("limit", type=number, metavar="NUMBER", help="what its expression is to compare with")
    put.add_argument("--instead-of", type=number, metavar="NUMBER", help="which number, if there is more than one")
    put.add_argument("--service", default="", metavar="NAME", help="only alerts of this service; default: all")
    put.add_argument(
        "--for", dest="seconds", type=seconds, required=True, metavar="DURATION", help="e.g. 7d, at most 90d"
    )
    put.add_argument("--reason", required=True, help="why; it goes on record")
    listing = command(verbs, "list", "list overrides that hold", module="overrides")
    end = command(verbs, "end", "let the rule's own limit hold again, now", module="overrides")
    end.add_argument("id", metavar="ID", help="as `override list` shows it")
    for each in (put, listing, end):
        client(each)
