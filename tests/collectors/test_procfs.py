"""Files stay open between reads and yet are seen to change, to be replaced and to go."""

import threading
from pathlib import Path

import pytest

from collectors import procfs
from collectors.spec import CollectError


def descriptors():
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_what_was_written_since_is_read(tmp_path):
    path = tmp_path / "file"
    path.write_text("one")
    assert procfs.read(path) == "one"
    path.write_text("two")
    assert procfs.read(path) == "two"


def test_a_replaced_file_is_read_anew(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    assert procfs.read(path) == "old"
    (tmp_path / "new").write_text("new")
    (tmp_path / "new").rename(path)
    assert procfs.read(path) == "new"


def test_a_removed_file_is_an_error_that_names_it_and_its_return_is_noticed(tmp_path):
    path = tmp_path / "file"
    path.write_text("here")
    assert procfs.read(path) == "here"
    path.unlink()
    with pytest.raises(CollectError, match=str(path)):
        procfs.read(path)
    path.write_text("again")
    assert procfs.read(path) == "again"


def test_a_file_is_opened_once(tmp_path):
    path = tmp_path / "file"
    path.write_text("text")
    procfs.read(path)
    opened = descriptors()
    for _ in range(10):
        procfs.read(path)
    assert descriptors() == opened


def test_descriptors_of_files_that_went_are_closed(tmp_path):
    path = tmp_path / "file"
    before = len(descriptors())
    for _ in range(20):
        path.write_text("text")
        procfs.read(path)
        path.unlink()
        with pytest.raises(CollectError):
            procfs.read(path)
    assert len(descriptors()) == before


def test_a_file_longer_than_one_read_is_read_whole(tmp_path):
    path = tmp_path / "file"
    text = "line\n" * procfs.CHUNK_BYTES
    path.write_text(text)
    assert procfs.read(path) == procfs.read_once(path) == text


def test_bytes_that_are_no_text_become_text_that_can_be_sent(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"caf\xe9")
    assert procfs.read_once(path) == "caf\\xe9"


def test_what_makes_no_sense_is_an_error_that_names_the_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("twelve")
    with pytest.raises(CollectError, match=f"cannot make sense of {path}"), procfs.reading(path) as text:
        int(text)


def test_threads_read_whole_files_while_others_replace_them(tmp_path):
    path = tmp_path / "file"
    path.write_text("0" * 1000)
    wrong = []

    def read():
        for _ in range(300):
            text = procfs.read(path)
            if len(text) != 1000 or len(set(text)) != 1:
                wrong.append(text)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for digit in "123456789" * 10:
        (tmp_path / "new").write_text(digit * 1000)
        (tmp_path / "new").rename(path)
    for reader in readers:
        reader.join(timeout=30)
    assert not wrong
