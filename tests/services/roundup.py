"""A roundup tracker (the classic template on SQLite) on a loopback port."""

import configparser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.service import (
    Server,
    Service,
    answers,
    free_port,
    need_from_pypi,
    private_directory,
    run_once,
    started,
)

ADMIN_PASSWORD = "open-sesame-admin"
USER, PASSWORD = "paramedic", "open-sesame-roundup"


def _programs() -> Path:
    return Path(need_from_pypi("roundup-server", "roundup")).parent


@contextmanager
def running_roundup(*, public_port: int | None = None) -> Iterator[Server]:
    """Run a fresh tracker; the returned URL is the tracker's, the account an ordinary user's.

    It lets only those change something who name its public address: give the port of a proxy that stands in front.
    """
    programs = _programs()
    with private_directory("roundup") as directory:
        port = free_port()
        url = f"http://127.0.0.1:{port}/tracker"
        tracker = directory / "tracker"
        _set_up(programs, directory, tracker, f"http://127.0.0.1:{public_port or port}/tracker")
        argv = (
            str(programs / "roundup-server"),
            "-n",
            "127.0.0.1",
            "-p",
            str(port),
            "-t",
            "thread",
            f"tracker={tracker}",
        )
        service = Service(argv=argv, directory=directory, ready=lambda: answers(f"{url}/rest"))
        with started(service):
            yield Server(url=url, port=port, service=service, user=USER, password=PASSWORD)


def _set_up(programs: Path, directory: Path, tracker: Path, url: str) -> None:
    admin = str(programs / "roundup-admin")
    run_once((admin, "-i", str(tracker), "install", "classic", "sqlite"), directory)
    settings = tracker / "config.ini"
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(settings)
    parser.set("tracker", "web", f"{url}/")
    parser.set("mail", "domain", "tracker.test")
    parser.set("mail", "host", "localhost")
    # Passwords that cost a quarter of a second to check would be most of the tests' time.
    parser.set("main", "password_pbkdf2_default_rounds", "1000")
    # Mail goes to a file: a test sends none.
    parser.set("mail", "debug", str(directory / "mail.txt"))
    with settings.open("w") as file:
        parser.write(file)
    run_once((admin, "-i", str(tracker), "initialise", ADMIN_PASSWORD), directory)
    account = (f"username={USER}", f"password={PASSWORD}", "roles=User", "address=agent@tracker.test")
    run_once((admin, "-i", str(tracker), "create", "user", *account), directory)
