from __future__ import annotations

import pytest

from airgate.http.errors import MethodNotAllowed, RouteNotFound
from airgate.http.operations import Call, Operation
from airgate.http.routing import Router, split_path


async def nothing(_: Call) -> None: ...


def router(*rows: str) -> Router[str]:
    """A router whose targets are the rows themselves, ``METHOD path``."""
    operations = []
    for row in rows:
        method, path = row.split()
        operations.append((Operation(method=method, path=path, handler=nothing), row))
    return Router(operations)


def test_placeholders_take_their_names_from_the_operation() -> None:
    target, values = router("GET /dags/{dag_id}/dagRuns/{run}").match("GET", ["dags", "a", "dagRuns", "b"])
    assert target == "GET /dags/{dag_id}/dagRuns/{run}"
    assert values == {"dag_id": "a", "run": "b"}


def test_a_literal_segment_wins_over_a_placeholder() -> None:
    routes = router("POST /dags/~/dagRuns/list", "POST /dags/{dag_id}/dagRuns/{run}")
    assert routes.match("POST", ["dags", "~", "dagRuns", "list"])[0] == "POST /dags/~/dagRuns/list"
    assert routes.match("POST", ["dags", "~", "dagRuns", "r"])[0] == "POST /dags/{dag_id}/dagRuns/{run}"


def test_a_placeholder_matches_when_the_literal_has_not_the_method() -> None:
    routes = router("POST /dags/~/dagRuns/list", "GET /dags/{dag_id}/dagRuns/{run}")
    target, values = routes.match("GET", ["dags", "~", "dagRuns", "list"])
    assert (target, values["run"]) == ("GET /dags/{dag_id}/dagRuns/{run}", "list")


def test_an_integer_placeholder_matches_digits_alone() -> None:
    routes = router("GET /errors/{number:int}")
    assert routes.match("GET", ["errors", "7"])[1] == {"number": 7}
    for wrong in ("x", "-1", "", "1.0", "\u0661", "9999999999"):
        with pytest.raises(RouteNotFound):
            routes.match("GET", ["errors", wrong])


def test_a_text_placeholder_matches_no_empty_segment() -> None:
    with pytest.raises(RouteNotFound):
        router("GET /dags/{dag_id}").match("GET", ["dags", ""])


def test_another_method_is_refused_with_those_that_exist() -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        router("GET /dags", "PATCH /dags").match("PUT", ["dags"])
    assert refused.value.allow == ("GET", "HEAD", "OPTIONS", "PATCH")


def test_head_is_served_where_get_is() -> None:
    assert router("GET /dags").match("HEAD", ["dags"])[0] == "GET /dags"


def test_a_path_that_only_begins_like_an_operation_is_not_found() -> None:
    with pytest.raises(RouteNotFound):
        router("GET /dags/{dag_id}/tasks").match("GET", ["dags", "a"])


def test_a_path_placeholder_takes_all_that_is_left_but_not_nothing() -> None:
    runs = router("GET /runs", "GET /runs/{run_id:path}", "POST /runs/{run_id:path}")

    assert runs.match("GET", ["runs", "a", "b/c", ""]) == ("GET /runs/{run_id:path}", {"run_id": "a/b/c/"})
    assert runs.match("GET", ["runs"])[0] == "GET /runs"
    assert runs.methods(["runs", "a", "b"]) == ("GET", "HEAD", "OPTIONS", "POST")
    with pytest.raises(RouteNotFound):
        runs.match("GET", ["runs", ""])


def test_a_row_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        router("GET /dags", "GET /dags")


def test_segments_are_decoded_after_they_are_split() -> None:
    assert split_path(b"/dags/a%2Fb/c%2B00:00+1") == ["dags", "a/b", "c+00:00+1"]


def test_a_segment_with_a_nul_names_nothing() -> None:
    with pytest.raises(RouteNotFound):
        split_path(b"/dags/a%00b")


def test_bytes_that_are_not_utf8_become_replacement_characters() -> None:
    assert split_path(b"/dags/%ff\xff") == ["dags", "\ufffd\ufffd"]
