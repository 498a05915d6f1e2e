"""Trust: a file counts only if nobody else can have written it, by whatever way."""

import os

import pytest

from remediations.exec_helper.trust import Trust, UntrustedError


@pytest.fixture
def top(tmp_path):
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.fixture
def trust(top):
    return Trust(owner=os.geteuid(), top=str(top))


@pytest.fixture
def file(top):
    (top / "a/b").mkdir(parents=True)
    path = top / "a/b/file"
    path.write_text("words")
    path.chmod(0o755)
    return path


def test_a_file_of_ours_alone_is_read(trust, file):
    assert trust.read(str(file)) == b"words"
    trust.program(str(file))
    trust.file(str(file))
    trust.folder(str(file.parent))


@pytest.mark.parametrize("place", ["", "a", "a/b", "a/b/file"])
@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_what_others_may_write_is_not_believed_at_any_step(trust, top, file, place, mode):
    (top / place).chmod(mode)
    if not place:
        trust = Trust(owner=os.geteuid(), top=str(top.parent))
        top.parent.chmod(0o755)
    with pytest.raises(UntrustedError, match="chmod go-w"):
        trust.read(str(file))
    with pytest.raises(UntrustedError, match="chmod go-w"):
        trust.program(str(file))


def test_what_belongs_to_somebody_else_is_not_believed(top, file):
    trust = Trust(owner=os.geteuid() + 1, top=str(top))
    with pytest.raises(UntrustedError, match="belongs to user"):
        trust.read(str(file))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file away")
@pytest.mark.parametrize("place", ["a", "a/b", "a/b/file"])
def test_what_was_given_away_is_not_believed_at_any_step(trust, top, file, place):
    os.chown(top / place, 65534, 65534)
    with pytest.raises(UntrustedError, match="belongs to user 65534: chown 0"):
        trust.read(str(file))


def test_no_link_leads_to_a_policy(trust, top, file):
    (top / "link").symlink_to(file)
    (top / "folder").symlink_to(file.parent)
    for path in (top / "link", top / "folder/file"):
        with pytest.raises(UntrustedError, match="is a link"):
            trust.read(str(path))
    with pytest.raises(UntrustedError, match="is a link"):
        trust.folder(str(top / "folder"))


def test_a_second_name_of_a_file_is_not_believed(trust, top, file):
    (top / "second").hardlink_to(file)
    with pytest.raises(UntrustedError, match="one name"):
        trust.read(str(file))


def test_links_to_programs_are_followed_and_what_is_behind_them_judged(trust, top, file):
    (top / "link").symlink_to("a/b/file")
    trust.program(str(top / "link"))
    (top / "relative").symlink_to("a/../a/b/file")
    trust.program(str(top / "relative"))
    file.parent.chmod(0o777)
    for name in ("link", "relative"):
        with pytest.raises(UntrustedError, match="chmod go-w"):
            trust.program(str(top / name))


def test_a_circle_of_links_ends(trust, top):
    (top / "one").symlink_to("two")
    (top / "two").symlink_to("one")
    with pytest.raises(UntrustedError, match="is a link"):
        trust.program(str(top / "one"))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_only_regular_files_are_read(trust, top, make):
    make(str(top / "thing"), 0o700)
    with pytest.raises(UntrustedError, match="no regular file"):
        trust.read(str(top / "thing"))


def test_a_program_must_be_executable(trust, file):
    file.chmod(0o644)
    with pytest.raises(UntrustedError, match=r"chmod u\+x"):
        trust.program(str(file))


def test_what_is_missing_is_said_to_be(trust, top):
    with pytest.raises(UntrustedError, match="No such file"):
        trust.read(str(top / "a/none"))


def test_a_huge_file_is_not_read(trust, file):
    file.write_bytes(b"x" * 300_000)
    with pytest.raises(UntrustedError, match="larger than"):
        trust.read(str(file))
