from __future__ import annotations

import pytest

from airgate.http.tokens import BadToken, Signer


def test_a_token_gives_its_value_back() -> None:
    signer = Signer(b"secret", "file")
    assert signer.read(signer.sign({"a": [1, "é"]})) == {"a": [1, "é"]}


def test_a_token_is_safe_in_a_path() -> None:
    token = Signer(b"secret", "file").sign("some/päth???>>>.py")
    assert not set(token) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


@pytest.mark.parametrize("other", [Signer(b"secret", "log"), Signer(b"another", "file")], ids=["purpose", "secret"])
def test_a_token_is_refused_by_another_signer(other: Signer) -> None:
    with pytest.raises(BadToken):
        other.read(Signer(b"secret", "file").sign("x"))


@pytest.mark.parametrize("text", ["", ".", "bad", "a.b", "ÿ.ÿ", "....", "a" * 5000, "Ing.AAAA"])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(BadToken):
        Signer(b"secret", "file").read(text)


def test_a_changed_token_is_refused() -> None:
    signer = Signer(b"secret", "file")
    token = signer.sign("dags/a.py")
    for index in range(len(token) - 1):  # the last character of a signature may hold bits that mean nothing
        changed = token[:index] + ("A" if token[index] != "A" else "B") + token[index + 1 :]
        with pytest.raises(BadToken):
            signer.read(changed)
