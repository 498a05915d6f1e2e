"""The commands that try a configuration on what was recorded."""

from pathlib import Path
from typing import Any

from agent.cli.grammar import client, command, config, json_flag
from agent.config.durations import parse as seconds


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
