"""What polkit must be told so that an unprivileged daemon can restart the listed units, and nothing else."""

import json
from collections.abc import Iterable

VERBS = ("restart", "try-restart", "reload", "reset-failed")
"""Never "start": newer versions of systemd ask for it with a name that the caller of StartTransientUnit made up."""


MARK = "// Written by `paramedic polkit` from the configuration"


def rules(units: Iterable[str], user: str) -> str:
    """Return a polkit rules file. Names become JSON texts, which are JavaScript's."""
    return f"""\
{MARK}; write it again when the listed units change.
// The account may do these verbs to these units, and manage no other unit in any way.
polkit.addRule(function (action, subject) {{
    if (action.id != "org.freedesktop.systemd1.manage-units" || subject.user != {json.dumps(user)}) {{
        return polkit.Result.NOT_HANDLED;
    }}
    var units = {json.dumps(sorted(set(units)))};
    var verbs = {json.dumps(VERBS)};
    var listed = units.indexOf(action.lookup("unit")) >= 0 && verbs.indexOf(action.lookup("verb")) >= 0;
    return listed ? polkit.Result.YES : polkit.Result.NO;
}});
"""
