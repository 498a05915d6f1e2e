"""The state file: made, migrated, locked, refused when it cannot be trusted, and written whole or not at all."""

import random
import sqlite3
import tracemalloc

import pytest

from agent.store import quarantine
from agent.store.database import Database, StoreError, checkpoint, migrations, set_meta
from agent.store.reader import Reader


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


def put(database, count=400):
    database.commit([set_meta(f"key{n}", "x" * 200) for n in range(count)])


def schema(path):
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    connection.close()
    return rows


def test_every_older_schema_is_brought_up_to_date_and_keeps_what_it_holds(state, tmp_path):
    with Database(tmp_path / "fresh"):
        wanted = schema(tmp_path / "fresh/paramedic.db")
    for version in range(1, len(migrations()) + 1):
        folder = state / str(version)
        folder.mkdir(parents=True)
        old = sqlite3.connect(folder / "paramedic.db")
        for script in migrations()[:version]:
            old.executescript(script)
        old.execute("INSERT INTO meta VALUES ('host_id', 'kept')")
        old.execute(f"PRAGMA user_version = {version}")
        old.commit()
        old.close()
        with Database(folder) as database:
            assert database.meta("host_id") == "kept"
            assert schema(database.path) == wanted


def test_a_migration_that_fails_leaves_the_old_schema(state, monkeypatch):
    with Database(state):
        before = schema(state / "paramedic.db")
    broken = [*migrations(), "CREATE TABLE extra (a); CREATE TABLE extra (a);"]
    monkeypatch.setattr("agent.store.database.migrations", lambda: broken)
    with pytest.raises(StoreError, match="already exists"):
        Database(state)
    monkeypatch.undo()
    with Database(state):
        assert schema(state / "paramedic.db") == before


def test_a_newer_schema_is_refused_with_both_numbers_and_the_file_stays(state):
    with Database(state) as database:
        database.connection.execute("PRAGMA user_version = 99")
    before = (state / "paramedic.db").read_bytes()
    with pytest.raises(StoreError, match=rf"newer paramedic \(schema 99, this one knows {len(migrations())}\)"):
        Database(state)
    assert (state / "paramedic.db").read_bytes() == before


def test_a_refused_file_is_free_for_the_next(state):
    with Database(state) as database:
        database.connection.execute("PRAGMA user_version = 99")
    for _ in range(2):
        with pytest.raises(StoreError, match="newer"):
            Database(state)


def test_a_second_daemon_is_refused_until_the_first_has_ended(state):
    first = Database(state)
    with pytest.raises(StoreError, match=r"paramedic\.db is in use by another paramedic"):
        Database(state)
    first.close()
    Database(state).close()


def test_a_directory_that_cannot_be_had_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=f"cannot use the state directory {tmp_path}/file/state"):
        Database(tmp_path / "file/state")


def test_only_the_owner_may_look_into_the_directory(state):
    with Database(state):
        assert state.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("left", [100, 4096, 0.5, 0.9])
def test_a_truncated_file_is_refused_by_name_and_left_alone(state, left):
    damage(state, lambda content: content[: left if left >= 1 else int(len(content) * left)])


@pytest.mark.parametrize("seed", range(8))
def test_flipped_bytes_are_refused_by_name_and_the_file_left_alone(state, seed):
    chance = random.Random(seed)

    def flip(content):
        flipped = bytearray(content)
        begin = chance.randrange(0, len(content) - 2048, 4096)
        flipped[begin : begin + 512] = chance.randbytes(512)
        return bytes(flipped)

    damage(state, flip)


def damage(state, change):
    with Database(state) as database:
        put(database)
    path = state / "paramedic.db"
    path.write_bytes(change(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(StoreError, match="damaged") as raised:
        Database(state)
    assert str(raised.value).startswith(f"cannot open {path}: ")
    assert path.read_bytes() == before


def test_an_empty_file_is_a_new_database(state):
    state.mkdir()
    (state / "paramedic.db").touch()
    with Database(state) as database:
        assert database.meta("host_id") is None


def test_a_torn_log_keeps_what_was_committed_before(state):
    database = Database(state)
    database.commit([set_meta("first", "1")])
    whole = (state / "paramedic.db-wal").read_bytes()
    database.commit([set_meta("second", "2")])
    torn = (state / "paramedic.db-wal").read_bytes()[: len(whole) + 30]
    copy = state.parent / "copy"
    copy.mkdir()
    (copy / "paramedic.db").write_bytes((state / "paramedic.db").read_bytes())
    (copy / "paramedic.db-wal").write_bytes(torn)
    database.close()
    with Database(copy) as survivor:
        assert (survivor.meta("first"), survivor.meta("second")) == ("1", None)


def test_a_commit_is_all_or_nothing(state):
    with Database(state) as database:
        with pytest.raises(StoreError, match=r"cannot write .*no such table"):
            database.commit([set_meta("a", "1"), ("INSERT INTO nowhere VALUES (1)", ())])
        assert database.meta("a") is None
        database.commit([set_meta("a", "2")])
        assert database.meta("a") == "2"


def test_a_write_may_be_a_function_and_joins_the_transaction(state):
    def write(connection):
        connection.execute("INSERT INTO meta VALUES ('b', '1')")
        connection.execute("INSERT INTO nowhere VALUES (1)")

    with Database(state) as database:
        with pytest.raises(StoreError):
            database.commit([write])
        assert database.meta("b") is None


def test_an_error_that_is_not_about_space_does_not_spend_the_reserve(state):
    with Database(state) as database:
        with pytest.raises(StoreError) as raised:
            database.commit([("INSERT INTO nowhere VALUES (1)", ())])
        assert raised.value.full is False
        assert (state / "reserve").exists()


def test_when_the_disk_is_full_the_reserve_is_given_back_once(state):
    with Database(state) as database:
        (pages,) = database.connection.execute("PRAGMA page_count").fetchone()
        database.connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError) as raised:
            put(database)
        assert raised.value.full is True
        assert not (state / "reserve").exists()
        assert database.release() is False


def test_a_state_directory_of_any_name_can_be_read(tmp_path):
    with Database(tmp_path / "100% of it? yes #1") as database:
        assert Reader(database.path).incidents() == []


def test_the_checkpoint_moves_the_log_into_the_file_beside_the_writer(state):
    with Database(state) as database:
        put(database)
        before = database.path.stat().st_size
        checkpoint(database.path)
        assert database.path.stat().st_size > before
        put(database, 1)


def test_a_reader_cannot_write(state):
    with (
        Database(state) as database,
        Reader(database.path).opened() as connection,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        connection.execute("DELETE FROM meta")


def test_rows_are_taken_one_by_one_as_there_may_be_more_than_memory(state):
    with Database(state) as database:
        database.commit([set_meta(f"key{n}", "x" * 100_000) for n in range(100)])
        taken = []
        tracemalloc.start()
        quarantine.each(database, "meta", "value", lambda text: taken.append(len(text)))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert taken.count(100_000) == 100
    assert peak < 2_000_000
