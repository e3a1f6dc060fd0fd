from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgate.orchestration.templates import (
    DEEPEST,
    LARGEST,
    LONGEST_TEXT,
    MOST_NAMES,
    Name,
    TemplateError,
    Unresolved,
    names_of,
    parse,
    render_form,
    render_header,
    render_json,
    render_text,
    render_url,
)

KNOWN: dict[str, Any] = {
    "variables.host": "airflow.example.com:8080",
    "variables.base": "https://airflow.example.com/prod",
    "variables.with_scheme": "https://airflow.example.com",
    "secrets.token": "dXNlcjpwYXNz",
    "erathos.rows": 5,
    "erathos.nested_table": False,
    "erathos.table_name": "orders & more/2026?",
    "erathos.schema_name": None,
    "erathos.execution_id": UUID(int=7),
    "erathos.finished_at_date": date(2026, 11, 21),
    "erathos.finished_at_time": time(8, 5),
    "run.end_date": datetime(2026, 11, 21, 8, 5, tzinfo=UTC),
    "run.conf.list": [1, {"a": None}],
    "run.dots": "..",
    "run.lines": "a\r\nX-Evil: 1",
    "run.snowman": "☃",
    "run.empty": "",
    "run.template": "${{secrets.token}}",
}


def look_up(name: Name) -> Any:
    key = ".".join((name.kind, *name.path)).lower()
    if key not in KNOWN:
        raise Unresolved(name)
    return KNOWN[key]


@pytest.mark.parametrize(
    ("value", "rendered"),
    [
        ("no placeholder", "no placeholder"),
        ("${{erathos.rows}}", 5),
        ("${{ erathos.rows }}", 5),
        ("${{ERATHOS.ROWS}}", 5),
        ("rows: ${{erathos.rows}}", "rows: 5"),
        ("${{erathos.nested_table}}", False),
        ("${{erathos.nested_table}}!", "false!"),
        ("${{erathos.schema_name}}", None),
        ("${{erathos.execution_id}}", "00000000-0000-0000-0000-000000000007"),
        ("${{erathos.finished_at_date}}", "2026-11-21"),
        ("at ${{erathos.finished_at_time}}", "at 08:05"),
        ("${{run.end_date}}", "2026-11-21T08:05:00+00:00"),
        ("${{run.conf.list}}", [1, {"a": None}]),
        ("${{run.conf.list}} of them", '[1,{"a":null}] of them'),
        ("$${{erathos.rows}}", "${{erathos.rows}}"),
        ("$$ ${{erathos.rows}} {{ jinja }}", "$$ 5 {{ jinja }}"),
        ({"${{erathos.rows}} rows": [{"deep": "${{erathos.rows}}"}]}, {"5 rows": [{"deep": 5}]}),
        ([1, None, True, 1.5], [1, None, True, 1.5]),
    ],
)
def test_json_keeps_the_type_of_a_value_alone_and_writes_others_into_the_text(value: Any, rendered: Any) -> None:
    assert render_json(value, look_up) == rendered


def test_value_that_looks_like_a_template_is_not_read_as_one() -> None:
    assert render_json("${{run.template}}", look_up) == "${{secrets.token}}"
    assert render_text("a ${{run.template}}", look_up) == "a ${{secrets.token}}"


@pytest.mark.parametrize("value", ["${{erathos.nobody}}", "a ${{variables.nobody}}", {"${{run.nobody}}": 1}])
def test_unknown_name_is_unresolved_wherever_it_stands(value: Any) -> None:
    with pytest.raises(Unresolved, match="nobody"):
        render_json(value, look_up)


def test_absent_value_inside_a_text_is_unresolved() -> None:
    with pytest.raises(Unresolved, match=r"erathos\.schema_name.*no value"):
        render_json("schema ${{erathos.schema_name}}", look_up)


@pytest.mark.parametrize(
    ("text", "explained"),
    [
        ("https://{{variables.TOOL_URL}}/x", "lacks its dollar sign; write '${{variables.TOOL_URL}}'"),
        ("${{variables.x", "is not closed"),
        ("${{variables}}", "is no placeholder"),
        ("${{variables.}}", "is no placeholder"),
        ("${{}}", "is no placeholder"),
        ("${{variables.a b}}", "is no placeholder"),
        ("${{variables.a..b}}", "is no placeholder"),
        ("x" * (LONGEST_TEXT + 1), "at most"),
        ("${{run.x}}" * (MOST_NAMES + 1), "at most"),
    ],
)
def test_text_that_is_no_template_is_explained(text: str, explained: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse(text)
    assert explained in str(caught.value)


def test_names_are_told_with_their_places() -> None:
    body = {"conf": {"${{run.a}}": ["x", "${{variables.b}} ${{secrets.c}}"]}}
    assert [(place, str(name)) for place, name in names_of(body)] == [
        ("/conf/${{run.a}}", "run.a"),
        ("/conf/${{run.a}}/1", "variables.b"),
        ("/conf/${{run.a}}/1", "secrets.c"),
    ]


def test_wrong_template_is_told_with_its_place() -> None:
    with pytest.raises(TemplateError, match=r"^/conf/0: .*not closed"):
        list(names_of({"conf": ["${{run.a"]}))


def test_nesting_is_bounded() -> None:
    body: Any = "x"
    for _ in range(DEEPEST + 1):
        body = [body]
    with pytest.raises(TemplateError, match="nested"):
        list(names_of(body))


def test_keys_that_become_one_are_refused() -> None:
    with pytest.raises(TemplateError, match="two keys"):
        render_json({"${{erathos.rows}}": 1, "5": 2}, look_up)


def test_result_is_bounded() -> None:
    with pytest.raises(TemplateError, match="at most"):
        render_text("${{run.a}}${{run.a}}", lambda name: "x" * (LARGEST - 1))


# ----------------------------------------------------------------------------------------------------------------- URLs


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://${{variables.host}}/api/v1", "https://airflow.example.com:8080/api/v1"),
        ("${{variables.base}}/api/v1", "https://airflow.example.com/prod/api/v1"),
        ("https://x.test/${{erathos.table_name}}/y", "https://x.test/orders%20%26%20more%2F2026%3F/y"),
        ("https://x.test/?t=${{erathos.table_name}}&u=1", "https://x.test/?t=orders%20%26%20more%2F2026%3F&u=1"),
        ("https://x.test/${{erathos.rows}}", "https://x.test/5"),
    ],
)
def test_url_takes_values_without_changing_its_shape(text: str, url: str) -> None:
    assert render_url(text, look_up) == url


@pytest.mark.parametrize(
    ("text", "explained"),
    [
        ("https://${{variables.with_scheme}}/x", "scheme"),
        ("${{variables.host}}/x", "has to begin with https://"),
        ("https://${{erathos.table_name}}/x", "no host"),
        ("https://x.test/${{run.dots}}/x", "out of the URL's path"),
        ("https://x.test/${{run.empty}}/x", "empty"),
    ],
)
def test_value_that_does_not_fit_its_place_in_a_url_is_refused(text: str, explained: str) -> None:
    with pytest.raises(TemplateError, match=explained):
        render_url(text, look_up)


anything = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text not in (".", ".."))


@given(anything)
def test_any_value_stays_one_segment_of_a_path(value: str) -> None:
    url = urlsplit(render_url("https://x.test/a/${{run.v}}/b?c=d", lambda name: value))
    assert [unquote(part) for part in url.path.split("/")] == ["", "a", value, "b"]
    assert (url.netloc, url.query, url.fragment) == ("x.test", "c=d", "")


@given(anything)
def test_any_value_stays_one_part_of_a_query(value: str) -> None:
    url = urlsplit(render_url("https://x.test/?a=${{run.v}}&b=1", lambda name: value))
    assert parse_qsl(url.query) == [("a", value), ("b", "1")]


@given(anything)
def test_no_value_leads_to_another_host_than_the_one_it_names(value: str) -> None:
    try:
        url = render_url("https://${{run.v}}/x", lambda name: value)
    except TemplateError:
        return
    assert urlsplit(url).netloc == value.partition("/")[0]
    assert "@" not in urlsplit(url).netloc


@given(st.dictionaries(st.text(), st.text()))
def test_any_value_survives_json(values: dict[str, str]) -> None:
    body = {str(index): f"${{{{run.{index}}}}}" for index in range(len(values))}
    found = list(values.values())
    rendered = render_json(body, lambda name: found[int(name.path[0])])
    assert list(json.loads(json.dumps(rendered)).values()) == found


# ------------------------------------------------------------------------------------------------------ headers, forms


def test_header_takes_values() -> None:
    assert render_header("Basic ${{secrets.token}}", look_up) == "Basic dXNlcjpwYXNz"


@pytest.mark.parametrize("text", ["${{run.lines}}", "${{run.snowman}}", "a\nb"])
def test_value_that_is_no_header_line_is_refused(text: str) -> None:
    with pytest.raises(TemplateError):
        render_header(text, look_up)


def test_form_takes_values_as_one_part_each() -> None:
    assert render_form("a=${{erathos.table_name}}&b=2", look_up) == "a=orders%20%26%20more%2F2026%3F&b=2"
