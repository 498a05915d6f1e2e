"""`paramedic oncall`: who is on call, how to reach them, and who follows."""

import argparse

from agent.cli import connection, screen


def run(args: argparse.Namespace) -> int:
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
