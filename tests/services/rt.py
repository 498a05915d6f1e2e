"""Request Tracker 5 on SQLite on a loopback port, with an unprivileged account for us."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.service import (
    Server,
    Service,
    answers,
    free_port,
    hand_over,
    need,
    private_directory,
    run_once,
    started,
)

ROOT_PASSWORD = "open-sesame-root"
USER, PASSWORD = "paramedic", "open-sesame-rt"
SERVER = Path("/usr/share/request-tracker5/libexec/rt-server")

SETTINGS = """
use utf8;
Set($rtname, 'test');
Set($Organization, 'tickets.test');
Set($WebDomain, '127.0.0.1');
Set($WebPort, @PORT@);
Set($DatabaseType, 'SQLite');
Set($DatabaseName, '@VAR@/rt.sqlite3');
# The package has these paths compiled in.
$RT::VarPath = '@VAR@';
$RT::MasonDataDir = '@VAR@/mason';
$RT::MasonSessionDir = '@VAR@/session';
Set($MailCommand, 'testfile');
Set($LogToSTDERR, 'warning');
Set($LogToSyslog, undef);
Set($LogToFile, undef);
Set(%GnuPG, Enable => 0);
Set(%SMIME, Enable => 0);
Set($WebSessionClass, 'Apache::Session::File');
# The cheapest there is: checking passwords would be most of the tests' time.
Set($BcryptCost, 10);
1;
"""

# What the manual tells an administrator to grant, and nothing else.
ACCOUNT = f"""
@Users = ({{ Name => '{USER}', Password => '{PASSWORD}', Privileged => 1 }});
@ACL = map {{ {{ UserId => '{USER}', Queue => 'General', Right => $_ }} }}
    qw(SeeQueue CreateTicket ShowTicket ShowTicketComments CommentOnTicket ModifyTicket);
1;
"""


@contextmanager
def running_rt() -> Iterator[Server]:
    """Run a fresh RT with the queue General; the account has the rights our manual asks for and no more."""
    perl = need("perl", "perl")
    set_up = need("rt-setup-database-5", "request-tracker5 rt5-db-sqlite")
    need("plackup", "starlet rt5-standalone")
    with private_directory("rt") as directory:
        port = free_port()
        environment = _write_settings(directory, port)
        owner = ("--dba", "", "--dba-password", "")
        password_file = str(directory / "root-password")
        run_once((set_up, "--action", "init", *owner, "--root-password-file", password_file), directory, environment)
        account = str(directory / "account.pm")
        run_once((set_up, "--action", "insert", *owner, "--datafile", account), directory, environment)
        url = f"http://127.0.0.1:{port}"
        argv = (perl, str(SERVER), "--host", "127.0.0.1", "--port", str(port), "--max-workers", "2")
        service = Service(
            argv=argv, directory=directory, ready=lambda: answers(f"{url}/REST/2.0/rt"), environment=environment
        )
        with started(service):
            yield Server(url=url, port=port, service=service, user=USER, password=PASSWORD)


def _write_settings(directory: Path, port: int) -> dict[str, str]:
    var = directory / "var"
    folders = [var, *(var / name for name in ("mason", "mason/obj", "session", "log", "data", "smime"))]
    for folder in (directory / "conf.d", *folders):
        folder.mkdir()
        hand_over(folder)
    settings = directory / "settings.pm"
    settings.write_text(SETTINGS.replace("@PORT@", str(port)).replace("@VAR@", str(var)))
    (directory / "account.pm").write_text(ACCOUNT)
    (directory / "root-password").write_text(ROOT_PASSWORD + "\n")
    return {"RT_SITE_CONFIG": str(settings), "RT_SITE_CONFIG_DIR": str(directory / "conf.d"), "HOME": str(directory)}
