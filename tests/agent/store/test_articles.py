"""Articles in folders, and the search in them."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.itsm.articles import Article
from agent.store import shelves
from agent.store.article_index import search

OURS = list(shelves.read(()).articles.values())


def names(question, articles=OURS, limit=10):
    return [found.article.name for found in search(articles, question, limit)]


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("inodes", "disk-inodes-low"),
        ("cannot make a file, inode", "disk-inodes-low"),
        ("read-only filesystem", "disk-became-read-only"),
        ("cable transceiver", "host-network-errors"),
        ("oom killed", "host-out-of-memory-kill"),
        ("Broker connection refused", "paramedic-mqtt-input-down"),
        ("StartLimitBurst", "systemd-service-given-up"),
        ("promote remediation", "paramedic-remediation-demoted"),
        ("disk-space-low", "disk-space-low"),
    ],
)
def test_a_question_finds_the_article_that_answers_it_first(question, name):
    assert names(question)[0] == name


def test_a_word_in_the_title_counts_for_more_than_one_in_the_text():
    articles = [
        Article(name="a", text="# Mail\n\nprinter printer", source=""),
        Article(name="b", text="# Printer\n\nmail " + "and more " * 20, source=""),
    ]
    assert names("printer", articles) == ["b", "a"]
    assert names("mail", articles) == ["a", "b"]


def test_forms_and_beginnings_of_words_are_found():
    articles = [Article(name="a", text="Certificates are renewed", source="")]
    assert names("certificate renew", articles) == names("certi", articles) == ["a"]


def test_an_excerpt_shows_what_was_found():
    (found,) = search(OURS, "resize2fs", 1)
    assert "resize2fs" in found.excerpt


def test_a_search_yields_as_many_as_asked_for():
    assert len(names("paramedic", limit=3)) == 3


@pytest.mark.parametrize(
    "question", ["", " ", "…", '"', "a AND", "NEAR(", "title:", "*", "(", "x'--", "\0", "OR", "_", "-disk", "{a b}: c"]
)
def test_no_question_is_an_error(question):
    assert isinstance(names(question), list)


@given(st.text(max_size=200))
def test_no_text_at_all_is_an_error(question):
    names(question, OURS[:2])


def test_a_question_of_very_many_words_is_cut():
    assert isinstance(names(" ".join(f"word{number}" for number in range(10_000))), list)


def test_hostile_articles_are_found_like_others():
    text = "# '); DROP TABLE articles; --\n\n\0\x1b[2J needle \ud7ff"
    assert names("needle", [Article(name="a", text=text, source=""), *OURS]) == ["a"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"


def test_an_article_of_a_folder_goes_before_ours_and_the_first_folder_before_the_next(folder, tmp_path):
    (tmp_path / "other").mkdir()
    (folder / "disk-space-low.md").write_text("# Mine")
    for name in ("disk-space-low", "shop"):
        (tmp_path / "other" / f"{name}.md").write_text("# Other")
    folders = [folder, tmp_path / "other"]
    read = shelves.read(folders)
    assert read.problems == []
    assert read.articles["disk-space-low"].title == "Mine"
    assert read.articles["disk-space-low"].source == str(folder)
    assert read.articles["shop"].title == "Other"
    assert read.articles["disk-busy"].source == "paramedic"
    for name, article in read.articles.items():
        assert shelves.find(folders, name) == article


def test_what_cannot_be_read_is_named_and_the_others_are_read(folder):
    (folder / "good.md").write_text("\ufeff# Good\n\tindented", encoding="utf-8")
    (folder / "latin.md").write_bytes(b"# Gr\xfc\xdfe")
    (folder / "huge.md").write_bytes(b"x" * (shelves.MAX_BYTES + 1))
    (folder / "Bad Name.md").write_text("x")
    (folder / "folder.md").mkdir()
    (folder / "gone.md").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.md")
    (folder / "notes.txt").write_text("not an article")
    read = shelves.read([folder, folder / "nowhere"])
    assert read.articles["good"].text == "# Good\n    indented"
    assert {place.rpartition("/")[2]: reason for place, reason in read.problems} == {
        "Bad Name.md": 'is left out: an article is called by small letters, digits and "-", such as disk-space-low.md',
        "folder.md": "is left out: it is no file",
        "gone.md": "is left out: it is no file",
        "pipe.md": "is left out: it is no file",
        "huge.md": "is left out: it is longer than 65536 bytes",
        "latin.md": "is left out: it is no UTF-8 (byte 4)",
        "nowhere": "cannot be read: No such file or directory",
    }
    assert shelves.find([folder], "latin") is None


@pytest.mark.parametrize("name", ["", "..", "../mine/good", "/etc/passwd", "good.md", "a\0b", "A", "x" * 200])
def test_a_name_that_is_no_name_finds_nothing(folder, name):
    (folder / "good.md").write_text("# Good")
    assert shelves.find([folder / "sub", folder], name) is None
