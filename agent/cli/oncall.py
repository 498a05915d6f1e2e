"""`paramedic oncall`: who is on call, how to reach them, and who follows."""

import argparse

from agent.cli import connection, screen


def run(args: argparse.Namespace) -> int:
    if args.command == "stand-in":
        return _stand_in(args)
    query = {"at": repr(args.at)} if args.at is not None else {}
    rows = connection.client(args).get("oncall", **query)
    if args.json:
        screen.show_json(rows)
    elif not rows:
        print("there is no rota: [[rotas]] makes one")
    else:
        names = ("rota", "team", "person", "contact", "until_local", "next", "services")
        headers = ["ROTA", "TEAM", "ON CALL", "CONTACT", "UNTIL", "THEN", "SERVICES"]
        screen.show_table(headers, [[screen.text(row[name]) or "-" for name in names] for row in rows])
    return 0


def _stand_in(args: argparse.Namespace) -> int:
    duration = 0.0 if args.end else args.duration
    answer = connection.client(args).post(
        "oncall", rota=args.rota, person="" if args.end else args.person, seconds=duration, reason=args.reason
    )
    if args.json:
        screen.show_json(answer)
    else:
        until = f" until {screen.moment(answer['until'])}" if answer["until"] else ""
        screen.line(f"{answer['person'] or 'nobody'} is on call for {answer['rota']}{until}")
    return 0
