from __future__ import annotations

import pytest

from airgate.http.stable_v1.accept import best_match

OFFERED = ("text/plain", "application/json")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, None),
        ("", None),
        ("text/html", None),
        ("application/json", "application/json"),
        ("APPLICATION/JSON", "application/json"),
        ("text/*", "text/plain"),
        ("*/*", "text/plain"),
        ("application/json, text/plain;q=0.5", "application/json"),
        ("text/plain;q=0, */*", "application/json"),
        ("application/json;q=0", None),
        ("application/json;q=oops", None),
        ("text/html, application/json;charset=utf-8;q=0.2", "application/json"),
    ],
)
def test_best_match_follows_the_client(accept: str | None, chosen: str | None) -> None:
    assert best_match(accept, OFFERED) == chosen
