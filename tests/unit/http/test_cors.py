from __future__ import annotations

import pytest

from airgate.http.cors import Cors

A, B, C = "https://a.example", "https://b.example", "https://c.example"


def allowed(cors: Cors, origin: str | None) -> str | None:
    request = [] if origin is None else [(b"origin", origin.encode())]
    value = dict(cors.reply_headers(request)).get(b"access-control-allow-origin")
    return None if value is None else value.decode()


@pytest.mark.parametrize(
    ("origins", "origin", "answer"),
    [
        (["*"], A, "*"),
        (["*"], None, "*"),
        ([A, B], A, A),
        ([A, B], B, B),
        ([A, B], C, None),
        ([A, B], None, A),
        ([A], "null", None),
        ([A], A.upper(), None),
        ([], A, None),
    ],
)
def test_the_origin_is_allowed_as_airflow_does(origins: list[str], origin: str | None, answer: str | None) -> None:
    assert allowed(Cors(origins=origins), origin) == answer


def test_headers_and_methods_are_sent_as_they_were_set() -> None:
    sent = dict(Cors(headers="origin, content-type", methods="POST, GET").reply_headers([]))
    assert sent == {
        b"access-control-allow-headers": b"origin, content-type",
        b"access-control-allow-methods": b"POST, GET",
    }


def test_caches_are_told_where_the_answer_depends_on_the_origin() -> None:
    assert dict(Cors(origins=[A, B]).reply_headers([]))[b"vary"] == b"Origin"
    assert b"vary" not in dict(Cors(origins=["*"]).reply_headers([]))
