"""The root helper as one file that /usr/bin/python3 runs: its package, and what it needs of ours, in a zip archive."""

import io
import zipfile
from pathlib import Path

from remediations import exec_helper, output

_MAIN = '''"""paramedic's root helper."""

import sys

from remediations.exec_helper.main import main

sys.exit(main(sys.argv[1:]))
'''
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""Every file's time: the same sources make the same archive, byte for byte."""


def bundle() -> bytes:
    """Return the archive."""
    top = Path(output.__file__).parents[1]
    package = Path(exec_helper.__file__).parent
    sources = [top / "remediations/__init__.py", Path(output.__file__), *sorted(package.glob("*.py"))]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr(zipfile.ZipInfo("__main__.py", _LONG_AGO), _MAIN)
        for source in sources:
            writer.writestr(zipfile.ZipInfo(str(source.relative_to(top)), _LONG_AGO), source.read_text())
    return archive.getvalue()
