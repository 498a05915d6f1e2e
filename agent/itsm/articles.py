"""Articles: what is known about an alert. Read from Markdown, found for an alert, drafted from a timeline."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from agent.incidents.incident import Incident

ANNOTATION = "article"
"""The annotation in which a rule names its article."""
MEND = "How to mend"
SECTIONS = ("What it means", "How to check", MEND, "How to prevent")
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_EMPTY_WORDS = frozenset(
    {"a", "alert", "an", "and", "are", "by", "for", "has", "in", "is", "it", "no", "not", "of", "the"}
)
_MARKUP = re.compile(r"[\\`*\[\]<>#|&]")
_NAME_LENGTH, _TITLE_LENGTH, _LINE_LENGTH = 80, 120, 300
_MOST_EVENTS = 60
_MOST_ALIKE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One Markdown text. `source` says whose it is: "paramedic", the folder it lies in, or "draft"."""

    name: str
    text: str
    source: str

    @property
    def title(self) -> str:
        """The first heading; without one, the name."""
        heads = (line.removeprefix("# ").strip() for line in self.text.splitlines() if line.startswith("# "))
        return next(heads, "") or self.name

    def section(self, heading: str) -> str:
        """Return what stands below a heading of the second level; empty if there is none."""
        found: list[str] = []
        inside = fenced = False
        for line in self.text.splitlines():
            fenced ^= line.startswith("```")
            if line.startswith(("# ", "## ")) and not fenced:
                inside = line.lstrip("# ").strip().casefold() == heading.casefold()
            elif inside:
                found.append(line)
        return "\n".join(found).strip("\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What a ticket says of an article. `own`: the rule names it; else it is only about something alike."""

    name: str
    title: str
    mend: str
    own: bool
    others: tuple[tuple[str, str], ...] = ()
    """Name and title of what may help besides."""


def wanted(alertname: str, annotations: Mapping[str, str]) -> str:
    """Return the name of a rule's article: the one it names, else the one that is called like its alert."""
    return annotations.get(ANNOTATION, "") or named_after(alertname)


def named_after(alertname: str) -> str:
    """Return e.g. "disk-space-low" for DiskSpaceLow; empty for a name without letters and digits."""
    return "-".join(_words(alertname[: 2 * _NAME_LENGTH]))[:_NAME_LENGTH].strip("-")


def advice(article: Article, *, own: bool, others: Iterable[Article] = ()) -> Advice:
    found = tuple((each.name, each.title) for each in others)
    return Advice(name=article.name, title=article.title, mend=article.section(MEND), own=own, others=found)


def alike(articles: Iterable[Article], alertname: str) -> list[Article]:
    """Return the articles that share most words with an alert's name, and half of them at least; the best first."""
    asked = set(_words(alertname[: 2 * _NAME_LENGTH])) - _EMPTY_WORDS
    ranked = []
    for article in articles:
        words = {*_words(article.name), *_words(article.title)} - _EMPTY_WORDS
        shared = len(asked & words)
        if shared and 2 * shared >= len(asked):
            ranked.append((-shared, len(words), article.name, article))
    return [article for *_, article in sorted(ranked, key=lambda each: each[:3])[:_MOST_ALIKE]]


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def drafted(incident: Incident, timeline: Collection[Mapping[str, Any]]) -> str:
    """Return an article to be finished by a person, from what happened. Whatever others wrote is quoted in it."""
    annotations = dict(incident.annotations)
    return "\n".join(
        (
            f"# Draft: {_prose(incident.alertname, _TITLE_LENGTH)}",
            "",
            f"Written from incident {incident.id}. Finish it, and save it in a folder of `[knowledge] folders`.",
            "",
            f"## {SECTIONS[0]}",
            "",
            *_quoted(annotations.get("summary", ""), annotations.get("description", "")),
            f"## {SECTIONS[1]}",
            "",
            *_quoted(*(f"{name} = {value}" for name, value in incident.labels)),
            f"## {MEND}",
            "",
            *_mended(incident),
            "What happened:",
            "",
            *_quoted(*_events(timeline)),
            f"## {SECTIONS[3]}",
            "",
            "Nothing is known yet.",
            "",
        )
    )


def _mended(incident: Incident) -> Iterator[str]:
    helped = [attempt for attempt in incident.attempts if attempt.verified]
    if helped:
        yield f"This helped, as fresh measurements showed ({_prose(helped[-1].remediation, _TITLE_LENGTH)}):"
        yield ""
        yield from _quoted(" ".join(helped[-1].argv))
    elif incident.attempts:
        yield "No automatic action helped. Tried:"
        yield ""
        yield from _quoted(*(" ".join(attempt.argv) for attempt in incident.attempts))
    else:
        yield "No automatic action was taken."
        yield ""


def _events(timeline: Collection[Mapping[str, Any]]) -> Iterator[str]:
    for row in list(timeline)[:_MOST_EVENTS]:
        at = datetime.fromtimestamp(row["at"], UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        said = " ".join(str(row[name]) for name in ("reason", "guard", "actor", "detail") if row[name])
        yield f"{at} {said}"
    if len(timeline) > _MOST_EVENTS:
        yield f"and {len(timeline) - _MOST_EVENTS} more"


def _quoted(*lines: str) -> Iterator[str]:
    """Indented text, which Markdown shows as it is: one line each, so none can end the quotation."""
    found = False
    for line in lines:
        if text := _flat(line, _LINE_LENGTH):
            yield f"    {text}"
            found = True
    if found:
        yield ""


def _prose(text: str, limit: int) -> str:
    """Text of others within a line of ours: nothing in it is markup."""
    return _flat(_MARKUP.sub(" ", text[: 4 * limit]), limit)


def _flat(text: str, limit: int) -> str:
    words = " ".join(text[: 4 * limit].split())
    visible = "".join(character for character in words if character.isprintable())
    return visible if len(visible) <= limit else visible[: limit - 1] + "…"
