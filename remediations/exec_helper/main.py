"""The root helper's program: `serve` behind systemd's socket, `run` and `verdict` inside the unit of a run."""

import os
import sys

STATE = "/var/lib/paramedic-exec/runs"
_FIRST_DESCRIPTOR = 3


def main(arguments: list[str]) -> int:
    """Do what the first word says. Each is imported alone: a run starts the sooner the less is read for it."""
    match arguments:
        case ["serve", account]:
            return serve(account)
        case ["run", run_id]:
            from remediations.exec_helper import run  # noqa: PLC0415

            run.main(run_id)
        case ["verdict", folder]:
            from remediations.exec_helper import verdict  # noqa: PLC0415

            verdict.main(folder)
            return 0
    sys.stderr.write("paramedic's root helper: started by systemd, never by hand\n")
    return 2


def serve(account: str) -> int:
    """Answer the account on the socket that systemd has opened, until idle."""
    import pwd  # noqa: PLC0415
    import socket  # noqa: PLC0415

    from remediations.exec_helper.answers import Answers  # noqa: PLC0415
    from remediations.exec_helper.records import Records  # noqa: PLC0415
    from remediations.exec_helper.server import Server  # noqa: PLC0415
    from remediations.exec_helper.units import Systemd  # noqa: PLC0415

    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        sys.stderr.write("no socket was handed over\n")
        return 2
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123
        records = Records(STATE, file.read().strip())
    listener = socket.socket(fileno=_FIRST_DESCRIPTOR)
    answers = Answers(records, Systemd(sys.path[0]))
    Server(listener, pwd.getpwnam(account).pw_uid, answers.answer).serve()
    return 0
