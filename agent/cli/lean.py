"""Libraries without what their `__init__` brings along: a command line, a web server, process supervision.

The daemon's memory is counted, and of uvicorn and prometheus_client it needs a few modules only. The rest of them
(click, multiprocessing, wsgiref, urllib.request …) is worth 3 MiB in a process that watches a host for years.
"""

import sys
from importlib.util import find_spec, module_from_spec

PACKAGES = ("prometheus_client", "uvicorn")


def without_extras() -> None:
    """Let the modules of these packages be imported one by one; what has been imported before stays as it is.

    It must come before anything else imports them. A package then holds nothing but the modules that are asked for.
    """
    for name in PACKAGES:
        spec = find_spec(name) if name not in sys.modules else None
        if spec is not None:
            sys.modules[name] = module_from_spec(spec)
