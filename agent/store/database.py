"""The one SQLite file: opened, locked, migrated; written by one thread in transactions durable on return."""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from agent.telemetry import log

Statement = tuple[str, Sequence[Any]]
Write = Statement | Callable[[sqlite3.Connection], object]
"""One statement with its parameters, or a function that writes through the connection and does not commit."""

RESERVE_BYTES = 16 * 1024 * 1024
_BUSY_MS = 5000
_NO_SPACE = ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")
"""What SQLite says when there is no room: for its log, and for the index of it."""
_log = log.get("store")


class StoreError(Exception):
    """The state cannot be opened or written; the message says why and what to do. `full` tells a full disk apart."""

    def __init__(self, message: str, *, full: bool = False) -> None:
        super().__init__(message)
        self.full = full


class Database:
    """The state file and its lock. Only the engine thread writes; everybody else opens a `Reader`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "paramedic.db"
        self._reserve = directory / "reserve"
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"cannot use the state directory {directory}: {error.strerror}") from error
        self._take_lock()
        try:
            self._check()
            self.connection = self._connect()
        except (sqlite3.Error, StoreError) as error:
            os.close(self._lock)
            raise StoreError(f"cannot open {self.path}: {error}") from error
        self.reserve()

    def _check(self) -> None:
        """Refuse a damaged file, on a connection that cannot change it."""
        if not self.path.exists():
            return
        with contextlib.closing(sqlite3.connect(read_only(self.path), uri=True)) as connection:
            try:
                ((verdict,),) = connection.execute("PRAGMA quick_check(1)").fetchall()
            except sqlite3.OperationalError:
                return  # busy, or no space for its index: opening it tells
            except sqlite3.DatabaseError as error:
                verdict = str(error)
        if verdict != "ok":
            raise StoreError(f"it is damaged ({verdict}); move it away to start anew, or put a backup in its place")

    def _connect(self) -> sqlite3.Connection:
        """Return the migrated database. On a full disk the reserve makes room for the log."""
        try:
            return self._migrated()
        except sqlite3.Error as error:
            if not (_is_full(error) and self.release()):
                raise
            return self._migrated()

    def _migrated(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            self._migrate(connection)
        except (sqlite3.Error, StoreError):
            connection.close()
            raise
        return connection

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise StoreError(
                f"{self.path} is in use by another paramedic; stop it, or give this one another [state] directory"
            ) from error

    def _migrate(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        scripts = migrations()
        if version > len(scripts):
            raise StoreError(
                f"{self.path} was written by a newer paramedic (schema {version}, this one knows {len(scripts)}); "
                "install that version again or restore a backup"
            )
        for number, script in enumerate(scripts[version:], version + 1):
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")

    def reserve(self) -> None:
        """Set space aside that `release` can give back when the disk is full; without room there is no reserve."""
        try:
            if not self._reserve.exists():
                with self._reserve.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
        except OSError:
            self.release()

    def release(self) -> bool:
        """Give the reserve back to the disk. Return whether there was one."""
        try:
            self._reserve.unlink()
        except OSError:
            return False
        return True

    def commit(self, writes: Sequence[Write]) -> None:
        """Perform all writes in one transaction, or none. Durable on return. Raise StoreError.

        On a full disk the reserve is given back and all is tried once more.
        """
        try:
            self._commit(writes)
        except StoreError as error:
            if not (error.full and self.release()):
                raise
            _log.error("the disk is full: reserve released", directory=str(self.directory))
            self._commit(writes)

    def _commit(self, writes: Sequence[Write]) -> None:
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            for write in writes:
                if callable(write):
                    write(self.connection)
                else:
                    self.connection.execute(*write)
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise StoreError(f"cannot write {self.path}: {error}", full=_is_full(error)) from error

    def meta(self, key: str) -> str | None:
        row = self.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row is not None else None

    def used_bytes(self) -> int:
        """Return how much of the file is in use; the rest of it is free for what comes."""
        pages, free, size = (
            self.connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def close(self) -> None:
        # A full disk must not keep the daemon from stopping; the log is replayed at the next start.
        with contextlib.suppress(sqlite3.Error):
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.connection.close()
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _is_full(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorname", "").startswith(_NO_SPACE)


def read_only(path: Path) -> str:
    """Return the address of a connection that reads only, whatever signs the path has."""
    return f"{path.absolute().as_uri()}?mode=ro"


def set_meta(key: str, value: str) -> Write:
    return ("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value))


def migrations() -> list[str]:
    """Return the migration scripts in order; number n takes the schema to version n."""
    folder = resources.files("agent.store") / "migrations"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    return [(folder / name).read_text() for name in names]


def checkpoint(path: Path) -> None:
    """Copy what the log holds into the database file, on a connection of its own (the maintenance thread's)."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    except sqlite3.OperationalError:
        pass  # busy or full: the next round tries again
    finally:
        connection.close()
