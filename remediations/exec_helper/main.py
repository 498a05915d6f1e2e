"""The root helper's program: `serve` behind systemd's socket, `run` and `verdict` inside the unit of a run."""

import os
import sys

STATE = "/var/lib/paramedic-exec/runs"
NOTES = "/var/lib/paramedic-exec/notes"
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
    import _socket  # noqa: PLC0415
    import pwd  # noqa: PLC0415

    from remediations.exec_helper.answers import Answers  # noqa: PLC0415
    from remediations.exec_helper.notes import Notes  # noqa: PLC0415
    from remediations.exec_helper.records import Records  # noqa: PLC0415
    from remediations.exec_helper.server import Server  # noqa: PLC0415
    from remediations.exec_helper.trust import Trust  # noqa: PLC0415
    from remediations.exec_helper.units import Systemd  # noqa: PLC0415

    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        sys.stderr.write("no socket was handed over\n")
        return 2
    with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:  # noqa: PTH123 - known already: no import
        boot_id = file.read().strip()
    archive = os.stat(sys.path[0])  # noqa: PTH116
    notes = Notes(NOTES, f"{archive.st_ino} {archive.st_mtime_ns} {archive.st_size} {sys.version}", Trust())
    records = Records(STATE, boot_id, notes.runs)
    listener = _socket.socket(fileno=_FIRST_DESCRIPTOR)
    answers = Answers(records, Systemd(sys.path[0]), known=notes.policies)
    Server(listener, pwd.getpwnam(account).pw_uid, answers.answer, lambda: notes.leave(records.ended())).serve()
    return 0
