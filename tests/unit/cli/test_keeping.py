from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from airgate.cli.exits import ExitCode
from tests.unit.cli.conftest import Airgate
from tests.unit.cli.stand_in import Answer, StandIn, listing, problem

VARIABLES = [
    {"key": "region", "value": "eu", "description": None},
    {"key": "limits", "value": '{"rows": 5}', "description": "how much"},
]
CONNECTION = {"connection_id": "site", "conn_type": "http", "host": "h", "port": 80, "login": None, "extra": "{}"}
POOL = {"name": "small", "slots": 2, "description": "few", "include_deferred": True, "open_slots": 1}


def write(folder: Path, value: Any) -> str:
    (folder / "file.json").write_text(json.dumps(value))
    return "file.json"


def test_variable_is_printed_as_it_is(ask: Airgate, server: StandIn) -> None:
    server.get("variables/limits", VARIABLES[1])
    assert ask("variables", "get", "limits").out == '{"rows": 5}\n'
    assert ask("variables", "get", "limits", "--json").json == VARIABLES[1]


def test_variable_is_set_with_one_request(ask: Airgate, server: StandIn) -> None:
    server.on("POST", "variables", Answer(VARIABLES[0]))
    assert ask("variables", "set", "region", "eu", "--description", "where").code == 0
    assert server.bodies("POST") == [{"key": "region", "value": "eu", "description": "where"}]


def test_values_of_variables_are_listed_for_scripts_only(ask: Airgate, server: StandIn) -> None:
    server.get("variables", listing("variables", VARIABLES))
    shown = ask("variables", "list").out
    assert "region" in shown
    assert "eu" not in shown.split()
    assert ask("variables", "list", "--json").json == VARIABLES


def test_variables_are_exported_as_airflow_does_for_this_user_alone(
    ask: Airgate, server: StandIn, folder: Path
) -> None:
    server.get("variables", listing("variables", VARIABLES))
    assert ask("variables", "export", "out.json").code == 0
    assert json.loads((folder / "out.json").read_text()) == {
        "region": "eu",
        "limits": {"value": {"rows": 5}, "description": "how much"},
    }
    assert stat.S_IMODE((folder / "out.json").stat().st_mode) == 0o600


def test_export_to_the_standard_output_is_the_file_alone(ask: Airgate, server: StandIn) -> None:
    server.get("variables", listing("variables", VARIABLES))
    assert ask("variables", "export").json["region"] == "eu"


def test_variables_are_imported_from_a_file_or_the_standard_input(ask: Airgate, server: StandIn, folder: Path) -> None:
    server.on("POST", "variables", Answer({}))
    form = {"region": "eu", "limits": {"rows": 5}}
    assert ask("variables", "import", write(folder, form)).code == 0
    assert ask("variables", "import", "-", stdin=json.dumps(form)).code == 0
    once = [
        {"key": "region", "value": "eu", "description": None},
        {"key": "limits", "value": '{"rows": 5}', "description": None},
    ]
    assert server.bodies("POST") == [*once, *once]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": "1", "a": "2"}'])
def test_file_that_cannot_be_imported_changes_nothing(ask: Airgate, server: StandIn, text: str) -> None:
    assert ask("variables", "import", "-", stdin=text).code == ExitCode.USAGE
    assert server.asked == []


def test_file_that_is_not_there_is_told(ask: Airgate) -> None:
    ended = ask("pools", "import", "missing.json")
    assert ended.code == ExitCode.USAGE
    assert "missing.json" in ended.err


def test_one_bad_connection_in_a_file_keeps_all_of_it_out(ask: Airgate, server: StandIn, folder: Path) -> None:
    name = write(folder, {"good": "http://host", "bad": {"conn_type": "http", "nonsense": 1}})
    assert ask("connections", "import", name).code == ExitCode.USAGE
    assert server.asked == []


def test_connection_is_set_by_options_over_a_uri(ask: Airgate, server: StandIn) -> None:
    server.on("POST", "connections", Answer(CONNECTION))
    ask("connections", "set", "site", "--uri", "http://u:p@h:80/s", "--login", "v", "--extra", '{"a": 1}')
    assert server.bodies("POST") == [
        {
            "connection_id": "site",
            "conn_type": "http",
            "host": "h",
            "login": "v",
            "password": "p",
            "schema": "s",
            "port": 80,
            "extra": '{"a": 1}',
        }
    ]


def test_connection_that_exists_is_changed(ask: Airgate, server: StandIn) -> None:
    server.on("POST", "connections", problem(409, "exists"))
    server.on("PATCH", "connections/site", Answer(CONNECTION))
    assert ask("connections", "set", "site", "--type", "http", "--host", "new").code == 0
    assert server.bodies("PATCH") == [{"connection_id": "site", "conn_type": "http", "host": "new"}]


def test_connection_keeps_its_type_when_none_is_given(ask: Airgate, server: StandIn) -> None:
    server.get("connections/site", CONNECTION)
    server.on("POST", "connections", problem(409, "exists"))
    server.on("PATCH", "connections/site", Answer(CONNECTION))
    ask("connections", "set", "site", "--host", "new")
    assert server.bodies("PATCH") == [{"connection_id": "site", "conn_type": "http", "host": "new"}]


def test_new_connection_without_a_type_is_not_found(ask: Airgate) -> None:
    assert ask("connections", "set", "site", "--host", "new").code == ExitCode.NOT_FOUND


def test_password_is_asked_for_when_a_dash_is_given(ask: Airgate, server: StandIn) -> None:
    server.on("POST", "connections", Answer(CONNECTION))
    ask("connections", "set", "site", "--type", "http", "--password", "-", stdin="s3cret\n")
    assert server.bodies("POST")[0]["password"] == "s3cret"


def test_connections_are_exported_in_full_but_for_their_passwords(ask: Airgate, server: StandIn) -> None:
    server.get("connections", listing("connections", [{"connection_id": "site", "conn_type": "http"}]))
    server.get("connections/site", CONNECTION)
    ended = ask("connections", "export")
    assert ended.json["site"]["extra"] == "{}"
    assert ended.json["site"]["password"] is None
    assert "assword" in ended.err


def test_pool_is_set_new_or_not(ask: Airgate, server: StandIn) -> None:
    server.on("POST", "pools", Answer(POOL), problem(409, "exists"))
    server.on("PATCH", "pools/small", Answer(POOL))
    assert ask("pools", "set", "small", "2", "--description", "few", "--include-deferred").code == 0
    assert ask("pools", "set", "small", "3").code == 0
    assert server.bodies("POST")[0] == {"name": "small", "slots": 2, "description": "few", "include_deferred": True}
    assert server.bodies("PATCH") == [{"name": "small", "slots": 3}]
    assert server.asked[-1].query == {"update_mask": ["slots"]}


def test_unlimited_pool_can_be_set(ask: Airgate, server: StandIn) -> None:
    server.on("POST", "pools", Answer(POOL))
    assert ask("pools", "set", "small", "-1").code == 0
    assert server.bodies("POST")[0]["slots"] == -1
    assert ask("pools", "set", "small", "2", "--descripton", "x").code == ExitCode.USAGE
    assert ask("pools", "set", "small", "-2").code == ExitCode.USAGE
    assert len(server.asked) == 1


def test_default_pool_of_a_file_is_changed_but_for_what_airflow_guards(
    ask: Airgate, server: StandIn, folder: Path
) -> None:
    server.on("POST", "pools", problem(409, "exists"))
    server.on("PATCH", "pools/default_pool", Answer(POOL))
    name = write(folder, {"default_pool": {"slots": 64, "description": "Default pool", "include_deferred": False}})
    assert ask("pools", "import", name).code == 0
    assert server.asked[-1].query == {"update_mask": ["slots,include_deferred"]}


def test_pools_are_exported_as_airflow_does(ask: Airgate, server: StandIn) -> None:
    server.get("pools", listing("pools", [POOL]))
    assert ask("pools", "export").json == {"small": {"slots": 2, "description": "few", "include_deferred": True}}


@pytest.mark.parametrize("noun", ["variables", "connections", "pools"])
def test_several_things_are_deleted(ask: Airgate, server: StandIn, noun: str) -> None:
    server.on("DELETE", f"{noun}/a", Answer(status=204))
    server.on("DELETE", f"{noun}/b", Answer(status=204))
    assert ask(noun, "delete", "a", "b").out == "Deleted a, b.\n"
    assert ask(noun, "delete", "c").code == ExitCode.NOT_FOUND


@pytest.mark.parametrize(("noun", "item"), [("connections", CONNECTION), ("pools", POOL)])
def test_thing_is_shown_and_listed(ask: Airgate, server: StandIn, noun: str, item: dict[str, Any]) -> None:
    name = str(item.get("name") or item["connection_id"])
    server.get(f"{noun}/{name}", item)
    server.get(noun, listing(noun, [item]))
    assert name in ask(noun, "get", name).out
    assert name in ask(noun, "list").out
    assert ask(noun, "get", name, "--json").json == item
    assert ask(noun, "list", "--json").json == [item]
