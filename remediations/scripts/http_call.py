"""Send one HTTP request. Standard library only: `python3 -I -S`. Redirects are not followed: they lead elsewhere.

Exit status: 0 the answer is 2xx, 1 it is another or there is none, 2 refused.
"""

import argparse
import http.client
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

TIMEOUT_SECONDS = 20.0
"""For all of it: looking up the name, connecting, and an answer that comes drop by drop."""
ANSWER_BYTES = 2048
TOKEN_BYTES = 4096


class Stay(urllib.request.HTTPRedirectHandler):
    """Goes nowhere else."""

    def redirect_request(self, *_arguments: Any) -> None:  # noqa: ANN401 - as the library calls it
        return None


def main(arguments: Sequence[str]) -> int:
    """Send the request, and print the answer's status and beginning."""
    options = parse(arguments)
    try:
        found = headers(options.token_file)
    except OSError as error:
        print(f"cannot read the token file: {error.strerror}")
        return 2
    except ValueError:
        print("the token file does not hold one line of ASCII text")
        return 2
    request = urllib.request.Request(options.url, method=options.method, headers=found)  # noqa: S310 - checked with the parameters
    # No proxy of the environment has a say in this.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay)
    signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_REAL, options.timeout_seconds)
    try:
        with opener.open(request) as answer:
            return told(answer.status, answer.read(ANSWER_BYTES))
    except urllib.error.HTTPError as error:
        with error:
            return told(error.code, error.read(ANSWER_BYTES))
    except (OSError, http.client.HTTPException) as error:
        print(f"no answer: {error}")
        return 1


def too_late(_signal: int, _frame: object) -> None:
    raise TimeoutError("it takes too long")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Send one HTTP request.", allow_abbrev=False)
    parser.add_argument("--method", default="POST")
    parser.add_argument("--token-file", default="")
    parser.add_argument("--timeout-seconds", type=float, default=TIMEOUT_SECONDS)
    parser.add_argument("url")
    return parser.parse_args(arguments)


def headers(token_file: str) -> dict[str, str]:
    """Return what the request says of us. Raise OSError; ValueError for a token that HTTP, in its error, would show."""
    found = {"User-Agent": "paramedic"}
    if token_file:
        with open(token_file, encoding="ascii") as file:  # noqa: PTH123 - pathlib costs more to load than all the rest
            token = file.read(TOKEN_BYTES).strip()
        if not token or not token.isprintable():
            raise ValueError
        found["Authorization"] = f"Bearer {token}"
    return found


def told(status: int, content: bytes) -> int:
    print(f"{status}: {content.decode(errors='backslashreplace')!a}")
    return 0 if status // 100 == 2 else 1  # noqa: PLR2004 - success, in HTTP


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
