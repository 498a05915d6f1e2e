"""The root helper as one file that /usr/bin/python3 imports: its package and what it needs of ours, zipped."""

import importlib.util
import io
import marshal
import zipfile
from pathlib import Path

from remediations import exec_helper, output

_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""Every file's time: the same sources make the same archive, byte for byte."""


def bundle() -> bytes:
    """Return the archive."""
    top = Path(output.__file__).parents[1]
    package = Path(exec_helper.__file__).parent
    sources = [top / "remediations/__init__.py", Path(output.__file__), *sorted(package.glob("*.py"))]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        for source in sources:
            name = str(source.relative_to(top))
            writer.writestr(zipfile.ZipInfo(name, _LONG_AGO), source.read_text())
            writer.writestr(zipfile.ZipInfo(f"{name}c", _LONG_AGO), _compiled(source.read_text(), name))
    return archive.getvalue()


def _compiled(text: str, name: str) -> bytes:
    """Return the module's byte code: the helper starts when something is down. Another Python reads the source.

    Marked as checked against no source, and in the form of marshal that knows no references: always the same bytes.
    """
    code = compile(text, name, "exec", dont_inherit=True)
    return importlib.util.MAGIC_NUMBER + bytes([1, 0, 0, 0]) + bytes(8) + marshal.dumps(code, 2)
