"""The last process of a run's unit: writes down how the run ended, in systemd's words."""

import os

from remediations.exec_helper.durable import VERDICT, replace


def main(folder: str) -> None:
    """Write the verdict into the run's folder, whole and durable."""
    words = (os.environ.get(name, "") for name in ("SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS"))
    replace(f"{folder}/{VERDICT}", " ".join(words).encode("ascii", "replace"))
