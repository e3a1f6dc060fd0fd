from __future__ import annotations

from typing import Any

import pytest

from airgate.model.dag import ParamSpec
from airgate.model.errors import InvalidInput
from airgate.model.params import Params

NATURAL: dict[str, Any] = {"type": "integer", "minimum": 0}


def refused(params: dict[str, ParamSpec], conf: dict[str, Any] | None = None) -> str:
    with pytest.raises(InvalidInput) as caught:
        Params(params).resolve(conf)
    assert caught.value.code == "invalid_param"
    return caught.value.detail


def test_conf_overrides_defaults_and_adds_what_no_param_names() -> None:
    params = Params({"a": ParamSpec(1), "n": ParamSpec(2, NATURAL)})

    assert params.resolve({"n": 3, "other": [4]}) == {"a": 1, "n": 3, "other": [4]}
    assert params.resolve(None) == params.resolve({}) == {"a": 1, "n": 2}


TOO_SMALL = """-1 is less than the minimum of 0

Failed validating 'minimum' in schema:
    {'type': 'integer', 'minimum': 0}

On instance:
    -1"""
NO_INTEGER = """'x' is not of type 'integer'

Failed validating 'type' in schema:
    {'type': 'integer', 'minimum': 0}

On instance:
    'x'"""


@pytest.mark.parametrize(("value", "text"), [(-1, TOO_SMALL), ("x", NO_INTEGER)])
def test_value_that_does_not_fit_is_refused_in_airflows_words(value: object, text: str) -> None:
    assert refused({"n": ParamSpec(2, NATURAL)}, {"n": value}) == f"Invalid input for param n: {text}"


def test_param_without_default_must_be_given() -> None:
    params = {"n": ParamSpec(None, NATURAL, has_value=False)}

    assert refused(params) == "Invalid input for param n: No value passed and Param has no default value"
    assert Params(params).resolve({"n": 0}) == {"n": 0}


def test_default_its_own_schema_refuses_is_refused_every_time_it_is_used() -> None:
    params = Params({"n": ParamSpec(None, NATURAL)})

    for _ in range(2):
        with pytest.raises(InvalidInput, match="None is not of type 'integer'"):
            params.resolve({})
    assert params.resolve({"n": 5}) == {"n": 5}


@pytest.mark.parametrize(("text", "fits"), [("2026-03-01T00:00:00Z", True), ("soon", False)])
def test_formats_are_checked(text: str, fits: bool) -> None:
    params = {"at": ParamSpec("2026-01-01T00:00:00Z", {"type": "string", "format": "date-time"})}

    if fits:
        assert Params(params).resolve({"at": text}) == {"at": text}
    else:
        assert "is not a 'date-time'" in refused(params, {"at": text})


def test_schema_that_is_none_is_an_invalid_input() -> None:
    assert "'nonsense' is not valid" in refused({"n": ParamSpec(1, {"type": "nonsense"})})


def test_schema_that_refers_to_another_document_is_refused_not_fetched() -> None:
    assert refused({"n": ParamSpec(1, {"$ref": "http://127.0.0.1:1/schema.json"})}).startswith(
        "Invalid input for param n"
    )


def test_value_nested_too_deeply_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    schema = {"$defs": {"tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}, "$ref": "#/$defs/tree"}

    assert "too deeply" in refused({"n": ParamSpec([], schema)}, {"n": deep})
