"""Secrets come from files at each use and show nowhere else."""

from pathlib import Path

import pytest

from agent.tickets.contract import TicketError
from agent.tickets.credentials import basic, read_secret, signature


def test_a_secret_is_the_file_without_its_line_end(tmp_path: Path):
    (tmp_path / "secret").write_bytes(" pass wörd \r\n".encode())
    assert read_secret(tmp_path / "secret") == " pass wörd "


def test_a_changed_password_is_used_without_a_restart(tmp_path: Path):
    file = tmp_path / "password"
    login = basic("me", file, read_secret)
    file.write_text("first")
    first = login()
    file.write_text("second")
    assert login().secrets[0] == "second"
    assert first.headers != login().headers


@pytest.mark.parametrize("content", [None, b"", b"\n", b"canary\xff"])
def test_a_file_that_holds_no_secret_is_a_passing_error_that_names_the_file(tmp_path: Path, content: bytes | None):
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TicketError, match=str(file)) as raised:
        read_secret(file)
    assert not raised.value.permanent
    assert "canary" not in raised.value.reason
    assert raised.value.__cause__ is None


def test_a_login_does_not_show_itself():
    login = basic("me", Path("p"), lambda _: "canary")()
    assert "canary" not in repr(login)
    assert "Basic" not in repr(login)


def test_the_signature_is_hmac_sha256_as_in_rfc_4231():
    expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert signature(b"what do ya want for nothing?", "Jefe") == expected
