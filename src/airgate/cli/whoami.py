"""`airgate whoami`: which server answers, whether it knows the token, and what it lets its owner do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from airgate.cli import limits
from airgate.cli.client import Call, command
from airgate.cli.exits import ExitCode, Problem

app = typer.Typer(add_completion=False)


@command(app)
def whoami(call: Call) -> None:
    """Say who the token's owner is and what they may do; fail if the token does not count."""
    version = call.api.get("version")["version"]
    me, refusal = _me(call)
    answer = {"server": call.api.target.server, "airflow_version": version, "authenticated": me is not None}
    known = [] if me is None else _facts(me)
    call.out.facts(
        answer | (me or {}),
        [
            ("server", answer["server"]),
            ("speaks", f"Airflow {version}"),
            ("token", "is known" if refusal is None else refusal.message),
            *known,
        ],
    )
    if refusal is not None:
        raise typer.Exit(refusal.code)


def _me(call: Call) -> tuple[dict[str, Any] | None, Problem | None]:
    """Who asks; or why the server does not let them in."""
    try:
        return call.native.get("me"), None
    except Problem as problem:
        if problem.code is not ExitCode.REFUSED:
            raise
        return None, problem


def _facts(me: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    identity = me["identity"]
    scope = identity["scope"]
    yield "name", identity["name"]
    yield "label", identity["label"]
    yield "kind", identity["kind"].replace("_", " ")
    yield "roles", ", ".join(identity["roles"])
    yield "scope", scope["kind"] if scope["name"] is None else f"{scope['kind']} {scope['name']}"
    yield "limits", limits.told(identity["limits"])
    yield "key", me["key_id"]
    yield "deployments", ", ".join(me["deployments"]) or "none"
    yield "may", ", ".join(me["permissions"]) or "nothing"
