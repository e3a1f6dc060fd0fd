from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgate.cli import forms
from airgate.cli.exits import Problem

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    ("form", "value", "description"),
    [
        ("eu", "eu", None),
        ("5", "5", None),
        (5, "5", None),
        (True, "true", None),
        (None, "null", None),
        ({"rows": 1}, '{"rows": 1}', None),
        ({"value": "x", "description": "what for"}, "x", "what for"),
        ({"value": {"value": 1}}, '{"value": 1}', None),
    ],
)
def test_variable_is_read_as_airflow_reads_it(form: Any, value: str, description: str | None) -> None:
    assert forms.variable_of("k", form) == {"key": "k", "value": value, "description": description}


@given(st.dictionaries(st.text(), st.tuples(st.text() | JSON.map(json.dumps), st.none() | st.text(min_size=1))))
def test_exported_variables_mean_the_same_when_imported(kept: dict[str, tuple[str, str | None]]) -> None:
    variables = [{"key": key, "value": value, "description": note} for key, (value, note) in kept.items()]
    back = [forms.variable_of(key, form) for key, form in forms.variables_form(variables).items()]
    for was, now in zip(variables, back, strict=True):
        assert now["description"] == was["description"]
        assert now["value"] == was["value"] or json.loads(str(now["value"])) == json.loads(str(was["value"]))


@pytest.mark.parametrize(
    ("uri", "fields"),
    [
        (
            "postgresql://etl:p%40ss%3A@DB.example:5432/sales?sslmode=require",
            {
                "conn_type": "postgres",
                "login": "etl",
                "password": "p@ss:",
                "host": "DB.example",
                "port": 5432,
                "schema": "sales",
                "extra": '{"sslmode": "require"}',
            },
        ),
        ("http://host:80", {"conn_type": "http", "host": "host", "port": 80}),
        ("google-cloud-platform://", {"conn_type": "google_cloud_platform"}),
        ("aws://?__extra__=%7B%22a%22%3A+%5B1%5D%7D", {"conn_type": "aws", "extra": '{"a": [1]}'}),
        ("http://https%3A%2F%2Fexample.com/", {"conn_type": "http", "host": "https://example.com"}),
        ("mysql://[::1]:3306", {"conn_type": "mysql", "host": "::1", "port": 3306}),
    ],
)
def test_connection_uri_is_read_as_airflow_reads_it(uri: str, fields: dict[str, Any]) -> None:
    assert forms.of_uri(uri) == fields


@pytest.mark.parametrize("uri", ["no uri", "http://host:port", "//host"])
def test_text_that_is_no_connection_uri_is_told(uri: str) -> None:
    with pytest.raises(Problem):
        forms.of_uri(uri)


def test_connection_object_is_read_as_airflow_reads_it() -> None:
    form = {"conn_type": "http", "conn_id": "site", "port": "80", "extra_dejson": {"a": 1}, "login": None}
    assert forms.connection_of("site", form) == {
        "connection_id": "site",
        "conn_type": "http",
        "port": 80,
        "extra": '{"a": 1}',
    }


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (5, "URI or an object"),
        ({"host": "x"}, "conn_type"),
        ({"conn_type": "http", "user": "x", "pwd": "y"}, "pwd, user"),
        ({"conn_type": "http", "conn_id": "other"}, "other"),
        ({"conn_type": "http", "port": "many"}, "many"),
        ({"conn_type": "http", "extra": '{"a": 1, "token": "***"}'}, "masked"),
    ],
)
def test_connection_that_cannot_be_used_is_told(form: Any, words: str) -> None:
    with pytest.raises(Problem) as problem:
        forms.connection_of("site", form)
    assert words in problem.value.message


def test_exported_connection_has_airflows_fields() -> None:
    (form,) = forms.connections_form([{"connection_id": "a", "conn_type": "http", "host": "h", "id": 5}]).values()
    assert set(form) == {"conn_type", "description", "host", "login", "password", "schema", "port", "extra"}


@given(st.text(), st.integers(), st.none() | st.text(), st.booleans())
def test_exported_pool_is_the_same_when_imported(name: str, slots: int, text: str | None, deferred: bool) -> None:
    pool = {"name": name, "slots": slots, "description": text, "include_deferred": deferred}
    ((key, form),) = forms.pools_form([{**pool, "open_slots": 5}]).items()
    assert forms.pool_of(key, form) == pool


@pytest.mark.parametrize("form", [5, {}, {"description": "x"}])
def test_pool_without_slots_is_told(form: Any) -> None:
    with pytest.raises(Problem):
        forms.pool_of("p", form)
