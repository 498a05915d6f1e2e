"""The articles that lie in folders: ours, and those of the people who run this host."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from agent.itsm.articles import NAME, Article

OURS = "paramedic"
MAX_BYTES = 64 * 1024
MOST = 2000
"""More articles than this are not read of one folder."""


@dataclass(slots=True)
class Shelves:
    """Articles by name, and what is wrong with those that cannot be read: (file or folder, why)."""

    articles: dict[str, Article] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)


def read(folders: Sequence[Path]) -> Shelves:
    """Read every article. One of an earlier folder hides others of its name, and ours stand last."""
    shelves = Shelves()
    for folder, source in (*((folder, str(folder)) for folder in folders), (_packs(), OURS)):
        for article in _read(folder, source, shelves.problems):
            shelves.articles.setdefault(article.name, article)
    return shelves


def find(folders: Sequence[Path], name: str) -> Article | None:
    """Return the article of this name that `read` would; None if there is none that can be read."""
    if not NAME.fullmatch(name):
        return None
    for folder, source in (*((folder, str(folder)) for folder in folders), (_packs(), OURS)):
        with suppress(OSError, ValueError):
            return _article(folder / f"{name}.md", source)
    return None


def _packs() -> Path:
    with resources.as_file(resources.files("rules") / "packs" / "articles") as folder:
        return folder


def _read(folder: Path, source: str, problems: list[tuple[str, str]]) -> Iterator[Article]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".md")
    except OSError as error:
        problems.append((str(folder), f"cannot be read: {error.strerror}"))
        return
    if len(paths) > MOST:
        problems.append((str(folder), f"holds {len(paths)} articles, and only the first {MOST} are read"))
    for path in paths[:MOST]:
        try:
            yield _article(path, source)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            problems.append((str(path), f"is left out: {reason}"))


def _article(path: Path, source: str) -> Article:
    """Raise OSError, ValueError."""
    if not NAME.fullmatch(path.stem):
        raise ValueError('an article is called by small letters, digits and "-", such as disk-space-low.md')
    if not path.is_file():
        raise ValueError("it is no file")
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"it is longer than {MAX_BYTES} bytes")
    try:
        return Article(name=path.stem, text=data.decode("utf-8-sig").expandtabs(4), source=source)
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no UTF-8 (byte {error.start})") from error
