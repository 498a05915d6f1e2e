"""Files that others leave: each is a source of its own, and a broken one ends nothing that it said before."""

import os

import pytest

from collectors.sample import Sample
from collectors.spec import CollectError, NotAvailableError
from collectors.textfile import SPEC, TextfileOptions, collect, targets


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "good.prom").write_text("good 1\n")
    (tmp_path / "notes.txt").write_text("not for us")
    return tmp_path


@pytest.fixture
def options(folder):
    return TextfileOptions(directories=(folder,), max_bytes=100)


def test_every_prom_file_is_a_target_beside_the_overview(folder, options):
    assert list(targets(options)) == ["", str(folder / "good.prom")]


def test_a_file_says_what_it_measures_and_its_origin_is_told(folder, options):
    assert list(collect(options, str(folder / "good.prom"))) == [Sample("good", 1.0)]
    assert SPEC.origin == "textfile"


def test_the_overview_tells_when_files_were_written(folder, options):
    os.utime(folder / "good.prom", (1_700_000_000, 1_700_000_000))
    file = (("file", str(folder / "good.prom")),)
    assert list(collect(options, "")) == [
        Sample("node_textfile_mtime_seconds", 1_700_000_000.0, file),
        Sample("node_textfile_scrape_error", 0.0),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"bad", "line 1: no value"),
        (b"caf\xe9 1", "not UTF-8"),
        (b"x 1 1700000000000", "timestamps of its own"),
        (b"x" * 101, "larger than 100 bytes"),
    ],
)
def test_a_file_that_cannot_be_read_fails_alone_and_is_reported(folder, options, content, reason):
    (folder / "bad.prom").write_bytes(content)
    with pytest.raises(CollectError, match=reason) as caught:
        list(collect(options, str(folder / "bad.prom")))
    assert "bad.prom" in str(caught.value)
    overview = {sample.name: sample.value for sample in collect(options, "")}
    assert overview["node_textfile_scrape_error"] == 1
    assert list(collect(options, str(folder / "good.prom"))) == [Sample("good", 1.0)]


def test_a_pipe_in_the_folder_keeps_nobody_waiting(folder, options):
    os.mkfifo(folder / "pipe.prom")
    with pytest.raises(CollectError, match="is not a file"):
        list(collect(options, str(folder / "pipe.prom")))


def test_a_file_that_went_since_it_was_listed_is_a_fault(folder, options):
    with pytest.raises(CollectError, match="No such file"):
        list(collect(options, str(folder / "gone.prom")))


def test_without_any_folder_there_is_nothing_to_collect(tmp_path):
    with pytest.raises(NotAvailableError, match="missing"):
        targets(TextfileOptions(directories=(tmp_path / "missing",)))


def test_one_missing_folder_of_several_is_an_error_that_is_reported(folder):
    options = TextfileOptions(directories=(folder, folder / "missing"))
    assert len(targets(options)) == 2
    overview = {sample.name: sample.value for sample in collect(options, "")}
    assert overview["node_textfile_scrape_error"] == 1


def test_a_file_whose_name_is_no_text_is_reported_and_no_label_of_anything(folder, options):
    with open(os.fsencode(folder) + b"/bad\xe9.prom", "wb") as file:  # noqa: PTH123 - no Path has such a name
        file.write(b"bad 1\n")
    assert targets(options) == ["", str(folder / "good.prom")]
    said = list(collect(options, ""))
    assert [sample.value for sample in said if sample.name == "node_textfile_scrape_error"] == [1.0]
    assert str(said).encode()
