from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from airgate.http.params import compiled
from airgate.http.stable_v1.problems import Problem
from airgate.http.stable_v1.queries import Offset, decode


class Query(msgspec.Struct, frozen=True, kw_only=True):
    number: int = 100
    offset: Offset = 0
    ratio: float | None = None
    flag: bool | None = None
    text: str | None = None
    words: tuple[str, ...] | None = None
    since: datetime | None = None


class Demanding(msgspec.Struct, frozen=True):
    name: str


def refusal(raw: str, query: type[msgspec.Struct] = Query) -> tuple[str | None, str | None]:
    with pytest.raises(Problem) as wrong:
        decode(query, raw.encode())
    return wrong.value.title, wrong.value.detail


def test_nothing_given_means_the_defaults() -> None:
    assert decode(Query, b"") == Query()


@pytest.mark.parametrize(
    ("raw", "name", "value"),
    [
        ("number=7", "number", 7),
        ("number=-7", "number", -7),
        ("number=1&number=2", "number", 2),
        ("number=99999999999", "number", 2**31 - 1),
        ("ratio=0.5", "ratio", 0.5),
        ("flag=True", "flag", True),
        ("flag=FALSE", "flag", False),
        ("text=a%20b+c", "text", "a b c"),
        ("text=", "text", ""),
        ("words=a&words=b", "words", ("a", "b")),
        ("words=a,b&words=c", "words", ("a", "b", "c")),
        ("since=2021-01-01T00:00:00%2B00:00", "since", datetime(2021, 1, 1, tzinfo=UTC)),
    ],
)
def test_parameter_is_read_as_its_kind(raw: str, name: str, value: Any) -> None:
    assert getattr(decode(Query, raw.encode()), name) == value


@pytest.mark.parametrize(
    ("raw", "kind", "name"),
    [
        ("number=x", "integer", "number"),
        ("number=", "integer", "number"),
        ("number=1.5", "integer", "number"),
        ("number=" + "9" * 5000, "integer", "number"),
        ("ratio=x", "number", "ratio"),
        ("ratio=nan", "number", "ratio"),
        ("ratio=inf", "number", "ratio"),
        ("flag=1", "boolean", "flag"),
    ],
)
def test_parameter_of_another_type_is_refused(raw: str, kind: str, name: str) -> None:
    assert refusal(raw) == ("Bad Request", f"Wrong type, expected '{kind}' for query parameter '{name}'")


def test_unknown_parameters_are_refused_by_name_and_without_a_title() -> None:
    assert refusal("b=1&number=x&a=1") == (None, "Extra query parameter(s) a, b not in spec")


def test_a_missing_parameter_is_named() -> None:
    assert refusal("", Demanding) == ("Bad Request", "Missing query parameter 'name'")


def test_a_date_with_a_plus_that_became_a_space_is_refused() -> None:
    _, detail = refusal("since=2021-11-16T00:00:00+00:00")
    assert detail is not None
    assert detail.startswith(
        "'2021-11-16T00:00:00 00:00' is not a 'date-time'\n\nFailed validating 'format' in schema:"
    )


def test_nul_is_refused() -> None:
    assert refusal("text=%00")[1] == "NUL characters are not allowed in query parameter 'text'"


def test_a_struct_of_another_type_cannot_be_a_query() -> None:
    class Wrong(msgspec.Struct):
        value: dict[str, int]

    with pytest.raises(TypeError, match="query parameter"):
        compiled(Wrong)
