"""The comparison itself: what counts as a difference, and what is said where no Airflow can be had."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.conformance.wire.beside import Outcome, table
from tests.conformance.wire.exchange import Answer, Request, Verdict, differences
from tests.conformance.wire.experimental import RELEASE
from tests.conformance.wire.real import CannotInstall, environment

ASKED = Request(operation="GET /x", method="GET", path="/x", volatile=frozenset({"id"}))
JSON = {"content-type": "application/json"}


def answer(value: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, JSON | headers, json.dumps(value).encode())


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"a": 1}, {"a": 1}),
        ({"id": 1}, {"id": 2}),
        ([{"at": "2026-11-21T00:39:18+00:00"}], [{"at": "2026-11-21T05:07:13+00:00"}]),
    ],
)
def test_answers_are_the_same(theirs: Any, ours: Any) -> None:
    assert differences(ASKED, answer(theirs), answer(ours)) == []


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": "1"}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1}, {}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"id": 1}, {"id": "1"}),
        ([1], [1, 2]),
        ({"at": "2026-11-21T00:39:18+00:00"}, {"at": "2026-11-21T00:39:18.000001+00:00"}),
        ({"at": "2021-11-16T11:34:00+00:00"}, {"at": "2021-11-16T11:34:01+00:00"}),
    ],
)
def test_answers_differ(theirs: Any, ours: Any) -> None:
    assert differences(ASKED, answer(theirs), answer(ours))


def test_status_headers_and_layout_count_and_the_order_of_methods_does_not() -> None:
    assert differences(ASKED, answer(1), answer(1, 201))
    assert differences(ASKED, answer(1, location="/x"), answer(1))
    assert not differences(ASKED, answer(1, allow="GET, HEAD"), answer(1, allow="HEAD, GET"))
    assert differences(ASKED, Answer(200, JSON, b'{"a": 1}'), Answer(200, JSON, b'{"a":1}\n'))


def test_promise_of_sameness_is_broken_by_a_difference_and_one_of_a_difference_by_sameness() -> None:
    better = replace(ASKED, verdict=Verdict.BETTER, status=404, why="it is there")
    crash = Answer(500, {"content-type": "text/html"}, b"<html>")
    assert Outcome(ASKED, answer(1), answer(1)).complaint is None
    assert Outcome(ASKED, answer(1), answer(2)).complaint is not None
    assert Outcome(better, crash, answer({}, 404)).complaint is None
    assert Outcome(better, crash, answer({}, 500)).complaint is not None
    assert Outcome(better, answer({}, 404), answer({}, 404)).complaint is not None


def test_table_has_a_row_per_operation_and_names_each_reason_once() -> None:
    better = replace(ASKED, verdict=Verdict.BETTER, why="it is there")
    assert table([ASKED, better, better])[2:] == ["| `GET /x` | same; **better**: it is there |"]


def test_airflow_that_cannot_be_installed_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\nexit 1\n")
    uv.chmod(0o755)
    monkeypatch.setenv("AIRGATE_BENCH_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(CannotInstall, match=r"there is no Python 3\.0 on this machine"):
        environment(replace(RELEASE, python="3.0"))
