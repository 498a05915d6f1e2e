"""Text of others becomes safe to show, whatever it is."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.tickets.plaintext import HIDDEN, block, one_line, redacted


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_one_line_is_short_and_has_no_hidden_characters(text: str, limit: int):
    shown = one_line(text, limit)
    assert len(shown) <= limit
    assert not {unicodedata.category(character) for character in shown} & HIDDEN


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_a_block_is_short_and_has_no_hidden_characters_but_line_ends(text: str, limit: int):
    shown = block(text, limit)
    assert len(shown) <= limit
    assert not {unicodedata.category(character) for character in shown.replace("\n", "")} & HIDDEN


@given(st.text())
def test_cleaning_twice_is_cleaning_once(text: str):
    assert one_line(one_line(text, 1000), 1000) == one_line(text, 1000)


def test_hidden_characters_become_visible_and_others_stay():
    assert one_line("a\x00b\n\x1b[2J\u202egnp.exe\u200b é 漢 😀", 100) == (
        "a\\x00b\\x0a\\x1b[2J\\u{202e}gnp.exe\\u{200b} é 漢 😀"
    )


@pytest.mark.parametrize(
    "text",
    [
        "mysql --password canary --host db",
        "mysql --password=canary",
        "curl -H 'Authorization: Bearer canary-canary'",
        "postgres://admin:canary@db/shop",
        "DB_PASSWORD=canary",
        '{"api_key": "canary canary"}',
        "token: canary",
        "--auth-token canary",
        "https://canary@example.org/",
        "Server=db;Uid=sa;Pwd=canary;",
    ],
)
def test_what_looks_like_a_secret_is_not_shown(text: str):
    assert "canary" not in redacted(text)
    assert "[secret]" in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "secret store is full",
        "password file missing",
        "nginx.service",
        "http://localhost/a@b",
        "a token ring",
        "systemctl --no-ask-password restart -- web.service",
    ],
)
def test_ordinary_words_are_shown(text: str):
    assert redacted(text) == text


@pytest.mark.parametrize("piece", ["password", "--password", "-", "a://", "token=", "'", " ", "bearer "])
def test_redacting_hostile_text_takes_no_time(piece: str):
    began = time.thread_time()
    redacted((piece * 4000)[:4000])
    # Milliseconds. What backtracks takes minutes, on whatever machine.
    assert time.thread_time() - began < 20
