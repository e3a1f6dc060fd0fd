from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from airgate.http.stable_v1.forms import Field, Form, need, schema_problem
from airgate.http.stable_v1.problems import Problem


def complaint(form: Form, body: dict[str, Any]) -> str | None:
    """What the schema says of a body."""
    with pytest.raises(Problem) as wrong:
        form.check(body)
    return wrong.value.detail


def refusal(form: Form, body: dict[str, Any]) -> str | None:
    """What the form says of a body."""
    with pytest.raises(Problem) as wrong:
        form.load(body)
    return wrong.value.detail


@pytest.mark.parametrize(
    ("kind", "good", "bad", "word"),
    [
        ("string", "x", 5, "string"),
        ("integer", 5, True, "integer"),
        ("integer", -5, 5.0, "integer"),
        ("number", 5, True, "number"),
        ("number", 0.5, "5", "number"),
        ("boolean", False, 0, "boolean"),
        ("object", {}, [], "object"),
        ("array", ["x"], {}, "array"),
        ("datetime", "anything", 5, "string"),
        ("date-time", "2021-01-01T00:00:00Z", 5, "string"),
        ("date-time or naive", "2021-01-01T00:00:00", None, "string"),
    ],
)
def test_schema_refuses_values_of_another_type(kind: str, good: Any, bad: Any, word: str) -> None:
    form = Form(Field("f", kind))
    form.check({"f": good})
    assert complaint(form, {"f": bad}) == f"{bad!r} is not of type '{word}' - 'f'"


@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [
        (Field("f", "string", read_only=True), "x", "Property is read-only - 'f'"),
        (Field("f", "string", read_only=True), None, "Property is read-only - 'f'"),
        (Field("f", "string", choices=("a", "b")), "c", "'c' is not one of ['a', 'b'] - 'f'"),
        (Field("f", "integer", minimum=1), 0, "0 is less than the minimum of 1 - 'f'"),
        (Field("f", "array", nonempty=True), [], "[] should be non-empty - 'f'"),
        (Field("f", "array"), ["a", 5], "5 is not of type 'string' - 'f.1'"),
        (Field("f", "string"), None, "None is not of type 'string' - 'f'"),
        (Field("f", "date-time"), "2021-01-01T00:00:00", "'2021-01-01T00:00:00' is not a 'date-time' - 'f'"),
    ],
    ids=["read-only", "read-only null", "choice", "minimum", "empty", "item", "null", "naive date"],
)
def test_schema_says_what_is_wrong_and_where(field: Field, value: Any, detail: str) -> None:
    assert complaint(Form(field), {"f": value}) == detail


def test_schema_lets_null_pass_where_it_may_be_null() -> None:
    Form(Field("f", "string", nullable=True), Field("g", "array", nullable=True)).check({"f": None, "g": None})


def test_schema_says_nothing_of_fields_it_does_not_know() -> None:
    Form(Field("f", "string")).check({"other": 1})


def test_schema_names_the_first_wrong_property_of_its_own_order() -> None:
    form = Form(Field("a", "string"), Field("b", "string"))
    assert complaint(form, {"b": 1, "a": 2}) == "2 is not of type 'string' - 'a'"


def test_schema_demands_what_it_must_have() -> None:
    assert complaint(Form(Field("f", "string", demanded=True)), {}) == "'f' is a required property"


def test_form_names_everything_wrong_in_the_order_of_its_fields() -> None:
    form = Form(
        Field("a", "string", required=True), Field("b", "string", nullable=True), Field("c", "string", longest=2)
    )
    assert refusal(form, {"x": 1, "c": "long", "b": None}) == str(
        {
            "a": ["Missing data for required field."],
            "b": ["Field may not be null."],
            "c": ["Longer than maximum length 2."],
            "x": ["Unknown field."],
        }
    )


def test_form_gives_what_was_sent_and_no_more() -> None:
    form = Form(Field("a", "string"), Field("b", "integer"), Field("c", "string", none=True))
    assert form.load({"a": "x", "c": None}) == {"a": "x", "c": None}


def test_form_misses_nothing_when_it_is_partial() -> None:
    assert Form(Field("a", "string", required=True)).load({}, partial=True) == {}


def test_form_reads_dates_as_instants() -> None:
    form = Form(Field("a", "date-time"), Field("b", "datetime"))
    loaded = form.load({"a": "2021-01-01T00:00:00Z", "b": "2021-01-01 00:00:00+00:00"})
    assert loaded == {"a": datetime(2021, 1, 1, tzinfo=UTC), "b": datetime(2021, 1, 1, tzinfo=UTC)}


def test_form_refuses_dates_without_an_offset_by_a_title_of_their_own() -> None:
    with pytest.raises(Problem) as wrong:
        Form(Field("a", "datetime")).load({"a": "2021-01-01T00:00:00"})
    assert (wrong.value.title, wrong.value.detail) == ("Invalid datetime format", "Naive datetime is disallowed")


@pytest.mark.parametrize("text", ["zz", "", "2021-99-01T00:00:00Z", "0001-01-01T00:00:00+14:00"])
def test_form_refuses_what_is_no_date(text: str) -> None:
    assert refusal(Form(Field("a", "datetime")), {"a": text}) == "{'a': ['Not a valid datetime.']}"


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1])
def test_form_refuses_integers_that_no_column_holds(value: int) -> None:
    assert refusal(Form(Field("a", "integer")), {"a": value}) == "{'a': ['Not a valid integer.']}"


@pytest.mark.parametrize(("kind", "value"), [("string", "a\0"), ("array", ["x", "\0"])])
def test_form_refuses_nul(kind: str, value: Any) -> None:
    assert refusal(Form(Field("a", kind)), {"a": value}) == "{'a': ['NUL characters are not allowed.']}"


def test_a_needed_field_is_missed_by_name() -> None:
    assert need({"a": None}, "a") is None
    with pytest.raises(Problem) as wrong:
        need({}, "a")
    assert wrong.value.detail == "{'a': ['Missing data for required field.']}"


def test_a_form_wrong_as_a_whole_says_so_of_its_schema() -> None:
    assert schema_problem("no").detail == "{'_schema': ['no']}"
