"""What is kept of a run's output."""

from hypothesis import given
from hypothesis import strategies as st

from remediations.output import LIMIT, CappedOutput, printable


def kept(*chunks):
    output = CappedOutput()
    for chunk in chunks:
        output.feed(chunk)
    return output.text()


def test_short_output_is_kept_whole():
    assert kept(b"one\n", b"two\n") == "one\ntwo\n"


def test_output_of_exactly_both_halves_is_kept_whole():
    assert kept(b"a" * LIMIT, b"b" * LIMIT) == "a" * LIMIT + "b" * LIMIT


def test_only_the_first_and_last_32_kib_remain_and_what_is_missing_is_said():
    text = kept(b"a" * LIMIT, b"x" * 70_000, b"b" * LIMIT)
    assert text == "a" * LIMIT + "\n[70000 bytes left out]\n" + "b" * LIMIT


def test_bytes_that_are_no_utf8_stand_as_escapes():
    assert printable(b"caf\xe9 \xc3\xa9") == "caf\\xe9 é"


def test_characters_that_steer_a_terminal_or_forge_a_line_stand_as_escapes():
    hostile = "\x1b[2J\x00\r\x7f\u202e\u2028\x9b\n\tend".encode()
    assert printable(hostile) == "\\x1b[2J\\x00\\r\\x7f\\u202e\\u2028\\x9b\n\tend"


@given(st.lists(st.binary(max_size=100)))
def test_any_bytes_become_text_without_control_characters(chunks):
    text = kept(*chunks)
    assert all(char.isprintable() or char in "\n\t" for char in text)
    text.encode()


@given(st.lists(st.integers(0, 40_000), max_size=12))
def test_what_is_kept_never_grows_however_it_comes_in(sizes):
    output = CappedOutput()
    whole = bytearray()
    for number, size in enumerate(sizes):
        chunk = bytes([97 + number]) * size
        whole += chunk
        output.feed(chunk)
        assert len(output._head) + len(output._tail) <= 2 * LIMIT
    text = output.text()
    assert text.startswith(whole[:LIMIT].decode())
    assert text.endswith(whole[-LIMIT:].decode())
