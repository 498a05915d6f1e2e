"""Changes of the configuration, on record: at a start with another one, at a reload, and where a broken one is refused.

What is compared is what the configuration means, not how it is written. Digests tell sections apart and hold no values.
"""

import hashlib
import pwd
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path, PurePath

import msgspec

from agent.config.options import Config
from agent.engine.batch import Batch
from agent.engine.parts import Parts
from agent.itsm.changes import ChangeKind, ChangeState, Deed, Word, word_of
from agent.store import quarantine
from agent.store.database import set_meta
from agent.version import VERSION
from remediations.exec_helper import policy as policies
from rules.group import RuleGroup

_META = "configuration"
_MOST_TEXT = 500
_SIGNAL = "SIGHUP"
Sections = Mapping[str, str]
"""SHA-256 of each section."""


_sections = msgspec.json.Decoder(dict[str, str])


def _plain(value: object) -> str:
    return str(value) if isinstance(value, PurePath) else type(value).__qualname__


_encoder = msgspec.json.Encoder(enc_hook=_plain, order="deterministic")


def sections(config: Config, groups: Iterable[RuleGroup], policy: Path = Path(policies.FOLDER)) -> Sections:
    """Return what tells this configuration from others: its sections, the rules as they are read, and our version.

    The policy is what root allows the root helper to run.
    """
    versions = sorted(f"{rule.identity} {rule.version}" for group in groups for rule in group.rules)
    texts = {field.name: _encoder.encode(getattr(config, field.name)) for field in fields(config)}
    texts["rules"] += "\n".join(versions).encode()
    texts["policy"] = b"".join(_policy(policy))
    texts["version"] = VERSION.encode()
    return {name: _sha256(text) for name, text in sorted(texts.items())}


def _policy(folder: Path) -> Iterator[bytes]:
    """Yield what stands in the policy's files; where there is no helper there are none."""
    for path in sorted(folder.glob("*.toml")):
        try:
            yield f"{path.name}\n".encode() + path.read_bytes()
        except OSError as error:
            yield f"{path.name} {error.strerror}".encode()


class ConfigurationRecord:
    """Knows which configuration was taken over last, also before the start. Belongs to the engine."""

    def __init__(self, parts: Parts, path: Path | None) -> None:
        self._parts = parts
        self._path = path
        self._known: Sections = quarantine.meta(parts.database, _META, _sections.decode, {})

    def started(self, now: Sections, at: float) -> None:
        """Note at the start which configuration runs."""
        batch = Batch(now=at)
        self._taken_over(batch, now, ChangeKind.CONFIGURATION, self._by_owner(at, "start"), ())
        if batch.writes:
            self._parts.database.commit(batch.writes)

    def reloaded(self, batch: Batch, now: Sections, actor: str, waiting: Iterable[str]) -> None:
        """Note a reload. `waiting` are the sections that need a restart."""
        details = tuple(f"needs a restart: {name}" for name in sorted(waiting))
        self._taken_over(batch, now, ChangeKind.RELOAD, self._word(actor, batch.now), details)

    def refused(self, batch: Batch, actor: str, why: str) -> None:
        """Note a configuration that is not taken over, once for as long as it stays as it is."""
        result = f"refused: {why}"[:_MOST_TEXT]
        known = self._parts.desk.changes.about(_META)
        file = self._file()
        if known is not None and known.state is ChangeState.FAILED and (known.after, known.result) == (file, result):
            return
        word = self._word(actor, batch.now)
        self._parts.desk.changes.deed(batch, self._deed(batch, ChangeKind.RELOAD, word, after=file, failed=result))

    def _taken_over(self, batch: Batch, now: Sections, kind: ChangeKind, word: Word, details: tuple[str, ...]) -> None:
        if now == self._known:
            return
        names = {*now, *self._known}
        changed = [name for name in sorted(names) if now.get(name) != self._known.get(name)] if self._known else ["all"]
        told = (f"changed: {', '.join(changed)}", *details, *self._files())
        deed = self._deed(batch, kind, word, after=_digest(now), details=told)
        self._parts.desk.changes.deed(batch, deed)
        batch.writes.append(set_meta(_META, msgspec.json.encode(now).decode()))
        self._known = now

    def _deed(
        self,
        batch: Batch,
        kind: ChangeKind,
        word: Word,
        *,
        after: str,
        failed: str = "",
        details: tuple[str, ...] = (),
    ) -> Deed:
        before = _digest(self._known) if self._known else ""
        muting = self._parts.situations.muting
        frozen = [f"freeze window {name}" for name in muting.frozen(batch.now, of_everything=True)]
        return Deed(
            key=_META,
            kind=kind,
            subject=str(self._path or "built-in defaults"),
            reason="another configuration" if not failed else "a configuration that is broken",
            requested_by=word.by,
            approval=word,
            before=before,
            after=after,
            result=failed or "taken over",
            done=not failed,
            details=details,
            fallback=f"the configuration before: {before}" if before else "the built-in defaults",
            frozen="" if failed else ", ".join(frozen),
        )

    def _word(self, actor: str, at: float) -> Word:
        return self._by_owner(at, actor) if actor == _SIGNAL else word_of(actor, at)

    def _by_owner(self, at: float, how: str) -> Word:
        """Return the word of whoever may write the file: that is how a configuration is approved."""
        owner = "nobody: there is no file"
        with suppress(OSError, KeyError):
            owner = pwd.getpwuid(self._path.stat().st_uid).pw_name if self._path else owner
        return Word(by=owner, via="file", at=at, comment=f"at {how}")

    def _files(self) -> tuple[str, ...]:
        return (f"{self._path}: SHA-256 {file}",) if (file := self._file()) else ()

    def _file(self) -> str:
        with suppress(OSError):
            return _sha256(self._path.read_bytes()) if self._path else ""
        return ""


def _digest(known: Sections) -> str:
    return _sha256("\n".join(f"{name} {digest}" for name, digest in sorted(known.items())).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
