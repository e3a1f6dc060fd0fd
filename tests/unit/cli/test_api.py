from __future__ import annotations

import stat
from pathlib import Path

import pytest

from airgate.cli import local
from airgate.cli.exits import ExitCode
from tests.unit.cli.conftest import Airgate
from tests.unit.cli.stand_in import Answer, StandIn, listing, problem

DAGS = listing("dags", [])


def test_token_is_sent_as_bearer(ask: Airgate, server: StandIn) -> None:
    server.get("dags", DAGS)
    assert ask("dags", "list", "--json").json == []
    assert server.asked[0].headers["authorization"] == "Bearer t0ken"


def test_server_and_token_come_from_the_environment(
    airgate: Airgate, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.get("dags", DAGS)
    monkeypatch.setenv("AIRGATE_SERVER", server.url + "/")
    monkeypatch.setenv("AIRGATE_TOKEN", "other")
    assert airgate("dags", "list").code == 0
    assert server.asked[0].headers["authorization"] == "Bearer other"


def test_server_and_token_come_from_the_data_folder_when_nothing_is_given(
    airgate: Airgate, server: StandIn, folder: Path
) -> None:
    server.get("dags", DAGS)
    (folder / ".airgate").mkdir()
    local.write(folder / ".airgate", server.url, "l0cal")
    assert airgate("dags", "list").code == 0
    assert server.asked[0].headers["authorization"] == "Bearer l0cal"


def test_token_of_the_data_folder_is_not_shown_to_another_server(
    airgate: Airgate, server: StandIn, folder: Path
) -> None:
    server.get("dags", DAGS)
    (folder / ".airgate").mkdir()
    local.write(folder / ".airgate", "http://127.0.0.1:1", "l0cal")
    airgate("dags", "list", "--server", server.url)
    assert "authorization" not in server.asked[0].headers


def test_local_file_is_for_this_user_alone_and_keeps_its_token(folder: Path) -> None:
    local.write(folder, "http://a", "t")
    local.write(folder, "http://b", None)
    assert local.read(folder) == local.LocalServer("http://b", "t")
    assert stat.S_IMODE((folder / local.NAME).stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "{", '{"token": 5}'])
def test_local_file_that_is_broken_counts_as_none(folder: Path, content: str) -> None:
    (folder / local.NAME).write_text(content)
    assert local.read(folder) is None


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, ExitCode.USAGE),
        (401, ExitCode.REFUSED),
        (403, ExitCode.REFUSED),
        (404, ExitCode.NOT_FOUND),
        (409, ExitCode.CONFLICT),
        (413, ExitCode.USAGE),
        (429, ExitCode.UNAVAILABLE),
        (500, ExitCode.UNAVAILABLE),
        (503, ExitCode.UNAVAILABLE),
    ],
)
def test_error_of_the_server_ends_with_its_words_and_a_code(
    ask: Airgate, server: StandIn, status: int, code: ExitCode
) -> None:
    server.on("GET", "dags", problem(status, "what happened"))
    ended = ask("dags", "list")
    assert ended.code == code
    assert "what happened" in ended.err
    assert ended.out == ""


def test_error_without_detail_is_told_by_its_title(ask: Airgate, server: StandIn) -> None:
    server.on("GET", "dags", problem(404, None, "DAG not found"))
    assert "DAG not found" in ask("dags", "list").err


def test_error_that_is_no_json_is_told_by_its_status(ask: Airgate, server: StandIn) -> None:
    server.on("GET", "dags", Answer("<html>", 502))
    assert "502" in ask("dags", "list").err


def test_refusal_without_a_token_says_how_to_give_one(airgate: Airgate, server: StandIn) -> None:
    server.on("GET", "dags", problem(401, None, "Unauthorized"))
    ended = airgate("dags", "list", "--server", server.url)
    assert ended.code == ExitCode.REFUSED
    assert "AIRGATE_TOKEN" in ended.err


def test_server_that_is_not_there_is_unavailable(airgate: Airgate) -> None:
    ended = airgate("dags", "list", "--server", "http://127.0.0.1:1")
    assert ended.code == ExitCode.UNAVAILABLE
    assert "airgate up" in ended.err


@pytest.mark.parametrize("address", ["nonsense", "ftp://x", "http://[::"])
def test_server_address_that_is_none_is_told(airgate: Airgate, address: str) -> None:
    ended = airgate("dags", "list", "--server", address)
    assert ended.code in {ExitCode.USAGE, ExitCode.UNAVAILABLE}
    assert address in ended.err


def test_list_is_read_page_by_page_to_its_end(ask: Airgate, server: StandIn) -> None:
    pages = [
        [{"key": str(number), "value": ""} for number in range(start, min(start + 100, 230))] for start in (0, 100, 200)
    ]
    server.on("GET", "variables", *(Answer({"variables": page, "total_entries": 230}) for page in pages))
    assert [variable["key"] for variable in ask("variables", "list", "--json").json] == [str(n) for n in range(230)]
    assert [asked.query["offset"] for asked in server.asked] == [["0"], ["100"], ["200"]]


def test_broken_connection_is_tried_again_for_a_read(ask: Airgate, server: StandIn) -> None:
    server.on("GET", "dags", Answer(drop=True), Answer(DAGS))
    assert ask("dags", "list").code == 0
    assert len(server.asked) == 2


def test_broken_connection_is_not_tried_again_for_a_write_that_may_count_twice(ask: Airgate, server: StandIn) -> None:
    server.on("POST", "pools", Answer(drop=True), Answer({}))
    assert ask("pools", "set", "p", "1").code == ExitCode.UNAVAILABLE
    assert len(server.asked) == 1


def test_ids_are_escaped_in_paths(ask: Airgate, server: StandIn) -> None:
    server.get("variables/a/b?c", {"key": "a/b?c", "value": "v"})
    assert ask("variables", "get", "a/b?c").out == "v\n"


def test_bad_settings_are_told_as_usage(airgate: Airgate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRGATE_PORT", "x")
    ended = airgate("dags", "list")
    assert ended.code == ExitCode.USAGE
    assert "environment variable AIRGATE_PORT" in ended.err
