"""What the commands share that keep what a workspace holds: which workspace, which thing, and what is read secretly."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from itertools import islice
from typing import Annotated, Any, Final

import typer

from airgate.cli.client import Call
from airgate.cli.exits import ExitCode, Problem
from airgate.cli.register import Option

WORKSPACE: Final = (
    Option(
        "workspace",
        Option.KEYWORD_ONLY,
        default="default",
        annotation=Annotated[str, typer.Option("--workspace", "-w", help="Name of the workspace.")],
    ),
)
ValueStdin = Annotated[
    bool, typer.Option("--value-stdin", help="Read it from the standard input instead of asking for it.")
]
Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]


def below(call: Call, *path: str) -> tuple[str, ...]:
    """A path below the workspace that is meant."""
    return ("workspaces", call.given["workspace"], *path)


def listed(call: Call, *path: str, limit: int | None = None, **query: Any) -> list[dict[str, Any]]:
    """A list below the workspace: all of it, or its first `limit`."""
    size = {} if limit is None else {"page_size": min(limit, 1000)}
    return list(islice(call.native.everything(*below(call, *path), **size, **query), limit))


def find(call: Call, kind: str, named: str, by: str = "name") -> dict[str, Any]:
    """The one thing of this kind with this id, or whose field `by` says so. Raises Problem."""
    noun = kind[:-1].replace("-", " ")
    found = [one for one in listed(call, kind) if named in (one["id"], one[by])]
    if not found:
        raise Problem(f"there is no {noun} {named!r} in the workspace {call.given['workspace']}", ExitCode.NOT_FOUND)
    if len(found) > 1:
        ids = ", ".join(one["id"] for one in found)
        raise Problem(f"there are several: name one {noun} by its id ({ids})", ExitCode.USAGE)
    return found[0]


def switch(call: Call, kind: str, named: str, *, on: bool, by: str = "name") -> None:
    """Switch something on or off, and say so."""
    known = find(call, kind, named, by)
    changed = call.native.patch(*below(call, kind, known["id"]), body={"is_active": on})
    call.out.done(changed, f"Switched {'on' if on else 'off'}: {changed[by]}.")


def delete_all(call: Call, kind: str, names: Iterable[str], by: str = "name") -> None:
    """Delete several things, all of which there are, and say so."""
    found = [find(call, kind, named, by) for named in names]
    for one in found:
        call.native.delete(*below(call, kind, one["id"]))
    deleted = [one[by] for one in found]
    call.out.done({"deleted": [one["id"] for one in found]}, f"Deleted {', '.join(deleted)}.")


def hidden(what: str, *, from_stdin: bool) -> str:
    """A secret: asked for twice without showing it, or all of the standard input but its last line break."""
    if not from_stdin:
        asked: str = typer.prompt(what, hide_input=True, confirmation_prompt=True, err=True)
        return asked
    value = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if not value:
        raise Problem("the standard input is empty", ExitCode.USAGE)
    return value


def json_of(option: str, text: str) -> Any:
    """The JSON that an option gives. Raises Problem."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise Problem(f"{option} is not JSON: {error}", ExitCode.USAGE) from error


def changes(**values: Any) -> dict[str, Any]:
    """The fields that were given."""
    return {name: value for name, value in values.items() if value is not None}
