"""`airgate block-windows`: times in which jobs may not start."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from airgate.cli.client import Call, command
from airgate.cli.exits import ExitCode, Problem
from airgate.cli.register import Option, option
from airgate.cli.workspace_options import WORKSPACE, below, delete_all, find, listed, switch

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Keep block windows: times in which jobs may not start."
)

Window = Annotated[str, typer.Argument(help="Name or id of the window.", show_default=False)]

_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Final[tuple[Option, ...]] = (
    option("day", typer.Option("--day", help="A day of the week, such as mon. Repeatable; by default all."), list[str]),
    option("job", typer.Option("--job", help="Name or id of a job. Repeatable; by default all jobs."), list[str]),
)


@command(app, "list", options=WORKSPACE)
def list_(call: Call) -> None:
    """List the block windows of a workspace."""
    found = listed(call, "block-windows")
    call.out.rows(
        found,
        ("window", "days", "from", "to", "zone", "jobs", "active"),
        (
            (
                one["name"],
                " ".join(_DAYS[day] for day in one["weekdays"]),
                one["start"],
                one["end"],
                one["time_zone"],
                len(one["jobs"]) or "all",
                one["is_active"],
            )
            for one in found
        ),
        empty="There are no block windows.",
    )


@command(app, options=(*_FIELDS, *WORKSPACE))
def create(
    call: Call,
    name: Annotated[str, typer.Argument(help="Its name.", show_default=False)],
    start: Annotated[str, typer.Option("--from", help="When it begins: HH:MM.", show_default=False)],
    end: Annotated[str, typer.Option("--to", help="When it ends: HH:MM, of the next day where that is earlier.")],
    time_zone: Annotated[str, typer.Option(help="Time zone, such as America/Sao_Paulo.")] = "UTC",
    allow_manual: Annotated[bool, typer.Option("--allow-manual", help="What somebody asks for starts.")] = False,
    cancel_running: Annotated[bool, typer.Option("--cancel-running", help="What runs then is ended.")] = False,
) -> None:
    """Make a block window."""
    body: dict[str, Any] = {
        "name": name,
        "weekdays": _weekdays(call.given["day"]),
        "start": start,
        "end": end,
        "time_zone": time_zone,
        "jobs": [find(call, "jobs", job)["id"] for job in call.given["job"] or ()],
        "allow_manual": allow_manual,
        "cancel_running": cancel_running,
    }
    made = call.native.post(*below(call, "block-windows"), body=body)
    call.out.done(made, f"Created {name}.")


def _weekdays(words: list[str] | None) -> list[int]:
    days = []
    for word in words or _DAYS:
        if word[:3].lower() not in _DAYS:
            raise Problem(f"--day {word!r} is none of {', '.join(_DAYS)}", ExitCode.USAGE)
        days.append(_DAYS.index(word[:3].lower()))
    return sorted(set(days))


@command(app, options=WORKSPACE)
def enable(call: Call, window: Window) -> None:
    """Switch a block window on."""
    switch(call, "block-windows", window, on=True)


@command(app, options=WORKSPACE)
def disable(call: Call, window: Window) -> None:
    """Switch a block window off."""
    switch(call, "block-windows", window, on=False)


@command(app, options=WORKSPACE)
def delete(call: Call, windows: Annotated[list[str], typer.Argument(help="Names or ids.", show_default=False)]) -> None:
    """Delete block windows."""
    delete_all(call, "block-windows", windows)
