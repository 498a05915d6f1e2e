"""The part of the command line that is about changes."""

import argparse
from typing import Any

from agent.cli.grammar import client, command, point_in_time, verbs_of


def changes(commands: Any) -> None:  # noqa: ANN401 - argparse's own type is private
    verbs = verbs_of(
        commands, "change", "show what was changed here, and by whom; ask for changes, allow and review them"
    )
    listing = command(verbs, "list", "list changes, newest first", module="changes")
    listing.add_argument(
        "--state", choices=("open", "unreviewed", "all"), default="all", help="only those; default: all"
    )
    listing.add_argument("--limit", type=int, default=100, metavar="N", help="at most; default: 100")
    show = command(verbs, "show", "show one change", module="changes", example="paramedic change show CHG-4f1c09d27a3b")
    calendar = command(verbs, "calendar", "list the freezes and dated changes that come up", module="changes")
    calendar.add_argument("--days", type=int, default=30, metavar="N", help="how far ahead; default: 30")
    propose = command(
        verbs,
        "propose",
        "ask for a change that people carry out",
        module="changes",
        example='paramedic change propose "postgresql 17" --reason "15 is out of support" --fallback "the dump"',
    )
    propose.add_argument("subject", metavar="WHAT", help="what is to be changed")
    proposal(propose)
    approve = command(verbs, "approve", "let a change be carried out", module="changes")
    reject = command(verbs, "reject", "say no to a change", module="changes")
    for each in (approve, reject):
        each.add_argument("--comment", default="", help="why; it goes on record")
    close = command(verbs, "close", "say what came of a change that people carried out", module="changes")
    close.add_argument("--result", required=True, metavar="TEXT", help="what came of it")
    close.add_argument("--failed", action="store_true", help="it did not work")
    review = command(verbs, "review", "say what is to be said about an emergency change afterwards", module="changes")
    review.add_argument("--comment", required=True, help="whether it was right, and what follows")
    for each in (show, approve, reject, close, review):
        each.add_argument("id", metavar="ID", help="as `change list` shows it")
    for each in (listing, show, calendar, propose, approve, reject, close, review):
        client(each)


def proposal(made: argparse.ArgumentParser) -> None:
    """Add what every proposal of a change says."""
    made.add_argument("--reason", required=True, help="why; it goes on record")
    made.add_argument("--fallback", default="", metavar="TEXT", help="what to do if it goes wrong")
    made.add_argument("--start", type=point_in_time, metavar="TIME", help="not before")
    made.add_argument("--by", type=point_in_time, metavar="TIME", help="not after: it expires then")
