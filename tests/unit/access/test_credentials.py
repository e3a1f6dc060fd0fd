from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgate.access.credentials import Key, Login, looks_like_token, parse


def basic(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "credential"),
    [
        (f"Basic {basic('ada:secret')}", Login("ada", "secret")),
        (f"basic  {basic('ada:se:cr:et')}", Login("ada", "se:cr:et")),
        (f"Basic {basic('ada:')}", Login("ada", "")),
        (f"Basic {basic('añn:pässwörd')}", Login("añn", "pässwörd")),
        ("Bearer abc", Key("abc")),
        ("bearer abc", Key("abc")),
        ("Api-Key abc", Key("abc")),
        ("abc", Key("abc")),
        ("  abc ", Key("abc")),
    ],
)
def test_header_is_understood_in_every_form_clients_send(header: str, credential: Login | Key) -> None:
    assert parse(header) == credential


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "   ",
        "Bearer a b",
        "Digest abc",
        "Basic !!!",
        f"Basic {basic('no colon')}",
        f"Basic {basic(':nameless')}",
        f"Basic {basic('a' + chr(0) + 'b:x')}",
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        "Bearer " + "a" * 10_000,
    ],
)
def test_header_that_is_no_credential_gives_none(header: str | None) -> None:
    assert parse(header) is None


@given(st.text())
def test_parsing_never_fails_on_any_text(header: str) -> None:
    assert parse(header) is None or header.strip()


@pytest.mark.parametrize(
    ("secret", "answer"), [("0123456789abcdef" * 2, True), ("0123456789ABCDEF" * 2, False), ("abc", False)]
)
def test_token_is_told_by_its_form(secret: str, answer: bool) -> None:
    assert looks_like_token(secret) is answer
