"""Durable files: whole or not at all."""

import os

import pytest

from remediations.exec_helper import durable


def test_a_disk_that_takes_a_part_gets_the_rest(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(durable.os, "write", lambda descriptor, content: real(descriptor, content[:3]))
    durable.write(str(tmp_path / "file"), b"all of the words")
    assert (tmp_path / "file").read_bytes() == b"all of the words"


def test_what_cannot_be_written_whole_is_not_there(tmp_path, monkeypatch):
    real, calls = os.write, []

    def full(descriptor, content):
        calls.append(content)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return real(descriptor, content[:3])

    monkeypatch.setattr(durable.os, "write", full)
    with pytest.raises(OSError, match="No space"):
        durable.write(str(tmp_path / "file"), b"argv that must not be cut short")
    assert list(tmp_path.iterdir()) == []


def test_replacing_leaves_the_old_or_the_new(tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "file.new").write_text("torn")
    durable.replace(str(tmp_path / "file"), b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "new"
