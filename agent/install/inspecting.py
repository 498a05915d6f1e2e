"""Says whether what gives the daemon privilege is still what the configuration says, and root's alone."""

import pwd
from collections.abc import Iterator
from pathlib import Path

from agent.app import polkit, units
from agent.app.planning import listed_units
from agent.config.options import Config
from agent.install.layout import HELPER, POLICIES, POLKIT, USER, Layout, layout, ours
from remediations.exec_helper import policy
from remediations.exec_helper.policy import Policy, PolicyError
from remediations.exec_helper.trust import Trust, UntrustedError

_INSTALL = "run `paramedic install` as root"


def inspected(config: Config, root: Path = Path("/"), owner: int = 0) -> Iterator[str]:
    """Yield what is wrong with the root helper's files and with polkit's rules, and how to mend it."""
    there = ours(root)
    if HELPER in there:
        trust = Trust(owner=owner, top=str(root))
        wanted = layout(config, root)
        yield from _files(wanted, root, trust)
        yield from (f"{path} gives more than the configuration needs: {_INSTALL}" for path in wanted.obsolete)
        yield from (f"not allowed: {problem}" for problem in wanted.problems)
        yield from _policies(root, trust)
    elif POLKIT in there:
        yield from _polkit(config, root)


def _files(wanted: Layout, root: Path, trust: Trust) -> Iterator[str]:
    for file in wanted.files:
        if not (file.path.is_relative_to(POLICIES) or "paramedic-exec" in file.path.name or file.path == HELPER):
            continue  # the service itself may have come in another way
        path = _below(root, file.path)
        try:
            if trust.read(str(path)) != file.content:
                yield f"{file.path} is not what this configuration and version make: {_INSTALL}"
        except UntrustedError as error:
            if not file.path.is_relative_to(POLICIES) or not path.exists():
                yield f"{error}; or {_INSTALL}"


def _policies(root: Path, trust: Trust) -> Iterator[str]:
    """Look at every policy as the helper does, the administrator's own included."""
    for path in sorted(_below(root, POLICIES).glob("*.toml")):
        try:
            found = policy.load(str(path), trust)
        except (UntrustedError, PolicyError) as error:
            yield f"{error}: the helper ignores it"
            continue
        yield from (f"{path.name}: {problem}" for problem in _problems(found, root, trust))


def _problems(found: Policy, root: Path, trust: Trust) -> Iterator[str]:
    for path, judge in ((found.argv[0], trust.program), *((each, trust.file) for each in found.files)):
        try:
            judge(str(_below(root, Path(path))))
        except UntrustedError as error:
            yield f"{error}, or the helper will refuse it"
    if found.user and not _is_account(found.user):
        yield f"there is no account {found.user!r}"


def _is_account(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _polkit(config: Config, root: Path) -> Iterator[str]:
    try:
        text = _below(root, POLKIT).read_text()
        expected = polkit.rules(units.installed(listed_units(config)).values(), USER)
    except (OSError, units.UnitsError):
        return  # not this account's to read, or systemd is not there to be asked
    if text != expected:
        yield f"{POLKIT} is not what this configuration makes: write it again with `paramedic polkit`"


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")
