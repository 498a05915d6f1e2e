"""`paramedic override …`: other limits for a while."""

import argparse

from agent.cli import connection, screen


def run(args: argparse.Namespace) -> int:
    client = connection.client(args)
    if args.command == "list":
        answer = client.get("overrides")
    elif args.command == "end":
        answer = client.post("overrides", args.id, "end")
    else:
        answer = client.post(
            "overrides",
            rule=args.rule,
            limit=args.limit,
            instead_of=args.instead_of,
            service=args.service,
            seconds=args.seconds,
            reason=args.reason,
        )
    if args.json:
        screen.show_json(answer)
    elif args.command != "list":
        screen.show_pairs({**answer, "created_at": "", "ends_at": screen.moment(answer["ends_at"])})
    elif not answer:
        print("no overrides")
    else:
        rows = [
            [
                each["id"],
                each["rule"],
                each["service"] or "all",
                f"{each['limit']:g} instead of {each['instead_of']:g}",
                screen.moment(each["ends_at"]),
                each["by"],
                each["reason"],
            ]
            for each in answer
        ]
        screen.show_table(["ID", "RULE", "SERVICE", "LIMIT", "UNTIL", "BY", "REASON"], rows)
    return 0
