"""The commands that try a configuration on what was recorded."""

from pathlib import Path
from typing import Any

from agent.cli.grammar import client, command, config, json_flag, seconds

DRILLS = ("service-down", "disk-filling", "memory-pressure", "ticket-system-down", "all", "list", "operators")
"""What can be drilled, and what can be shown about drills."""


def trials(commands: Any) -> None:  # noqa: ANN401 - argparse's own type is private
    record = command(
        commands,
        "record",
        "write down what the daemon takes in, for `simulate`",
        module="record",
        example="paramedic record --for 1h --out hour.prom",
    )
    record.add_argument(
        "--for", dest="duration", type=seconds, default=600.0, metavar="DURATION", help='how long; default: "10m"'
    )
    record.add_argument("--out", type=Path, required=True, metavar="FILE", help="a new file")
    record.add_argument(
        "--max-mib", type=int, default=256, metavar="N", help="end when it is so many MiB large; default: 256"
    )
    client(record)
    simulate = command(
        commands,
        "simulate",
        "replay a recording, and print what would have been decided; nothing is started",
        module="simulate",
        example="paramedic simulate --from hour.prom --config new.toml",
    )
    simulate.add_argument(
        "--from",
        dest="file",
        type=Path,
        required=True,
        metavar="FILE",
        help="what `paramedic record` made, or any Prometheus text with a timestamp on every sample",
    )
    simulate.add_argument(
        "--assume",
        choices=("succeeded", "failed", "timed_out"),
        default="succeeded",
        help="how attempts end of which the recording does not tell; default: succeeded",
    )
    simulate.add_argument("--took", type=seconds, default=1.0, metavar="DURATION", help='after how long; default: "1s"')
    config(simulate)
    json_flag(simulate)


def drills(commands: Any) -> None:  # noqa: ANN401 - see above
    drill = command(
        commands,
        "drill",
        "break something of its own, and see it noticed, repaired, proven and ticketed; or show what drills came to",
        module="drill",
        example="paramedic drill all   or   paramedic drill disk-filling --against /run/paramedic/paramedic.sock",
    )
    drill.add_argument(
        "scenario", nargs="?", choices=DRILLS, default=DRILLS[0], help=f"what to break; default: {DRILLS[0]}"
    )
    drill.add_argument(
        "--against",
        metavar="ADDRESS",
        help="URL or control socket of a running daemon, which keeps the result; default: a daemon of its own",
    )
    drill.add_argument("--token-file", type=Path, metavar="FILE", help="the token that a URL needs")
    drill.add_argument(
        "--people", type=seconds, metavar="DURATION", help="do nothing until somebody acknowledges, for so long"
    )
    drill.add_argument("--report", type=Path, metavar="FILE", help="write the report there, as Markdown")
    drill.add_argument(
        "--timeout", type=seconds, default=90.0, metavar="DURATION", help='give up after; default: "90s"'
    )
    client(drill)
