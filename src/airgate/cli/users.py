"""`airgate users`: people, their roles and their passwords."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

from airgate.cli import limits
from airgate.cli.client import Call, command
from airgate.cli.exits import ExitCode, Problem
from airgate.cli.identities import person
from airgate.cli.output import when
from airgate.cli.passwords import read_password
from airgate.cli.register import Option, option

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Keep people: who may sign in, and what they may do."
)

User = Annotated[str, typer.Argument(help="Name or id of the user.", show_default=False)]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the standard input instead of asking for it.")
]

_PROFILE: Final = ("first_name", "last_name", "email")
_FIELDS: Final[Sequence[Option]] = (
    option(
        "role", typer.Option("--role", "-r", help="A role, such as Viewer, User, Op or Admin. Repeatable."), list[str]
    ),
    option("deployment", typer.Option("--deployment-id", "-d", help="Roles count in this deployment only.")),
    option("workspace", typer.Option("--workspace-id", "-w", help="Roles count in this workspace only.")),
    *limits.OPTIONS,
    option("first_name", typer.Option("--first-name", help="First name.")),
    option("last_name", typer.Option("--last-name", help="Last name.")),
    option("email", typer.Option("--email", help="Address for mail.")),
)


@command(app, "list", alias="ls")
def list_(call: Call) -> None:
    """List the people, by name."""
    found = list(call.native.everything("users"))
    call.out.rows(
        found,
        ("name", "roles", "where", "limits", "active", "full name", "email", "created"),
        map(_row, found),
        empty="There are no people.",
    )


@command(app, alias="cr", options=_FIELDS)
def create(
    call: Call,
    name: Annotated[str, typer.Argument(help="The name to sign in with.", show_default=False)],
    password_stdin: PasswordStdin = False,
    no_password: Annotated[bool, typer.Option("--no-password", help="No password: keys only.")] = False,
) -> None:
    """Make a person. Asks for their password."""
    if not call.given["role"]:
        raise Problem("give a --role; `airgate users roles` lists them", ExitCode.USAGE)
    body = {"name": name, **_changes(call, {})}
    if not no_password:
        body["password"] = read_password(from_stdin=password_stdin)
    made = call.native.post("users", body=body)
    call.out.done(made, f"Created {name}.")


@command(app, options=_FIELDS)
def update(
    call: Call,
    user: User,
    name: Annotated[str | None, typer.Option("--name", help="A new name to sign in with.")] = None,
    everywhere: Annotated[bool, typer.Option("--everywhere", help="Roles count everywhere.")] = False,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="Take all limits away, then set those given.")] = False,
    active: Annotated[bool | None, typer.Option("--active/--inactive", help="Whether they are let in.")] = None,
) -> None:
    """Change a person. What is not given stays as it is."""
    known = person(call.native, user)
    body = _changes(call, {} if unlimited else known["limits"])
    if unlimited and "limits" not in body:
        body["limits"] = {}
    if everywhere:
        body["scope"] = {"kind": "everything"}
    body |= {key: value for key, value in (("name", name), ("active", active)) if value is not None}
    if not body:
        raise Problem("nothing to change was given", ExitCode.USAGE)
    changed = call.native.patch("users", known["id"], body=body)
    call.out.done(changed, f"Changed {changed['name']}.")


@command(app, "set-password")
def set_password(call: Call, user: User, password_stdin: PasswordStdin = False) -> None:
    """Give a person a new password. Tokens made with the old one count no more."""
    known = person(call.native, user)
    body = {"password": read_password(from_stdin=password_stdin)}
    changed = call.native.patch("users", known["id"], body=body)
    call.out.done(changed, f"Set the password of {known['name']}.")


@command(app)
def deactivate(call: Call, user: User) -> None:
    """Let a person in no more, and keep them; `update --active` takes it back."""
    changed = call.native.patch("users", person(call.native, user)["id"], body={"active": False})
    call.out.done(changed, f"Deactivated {changed['name']}.")


@command(app, alias="de")
def delete(call: Call, users: Annotated[list[str], typer.Argument(help="Names or ids.", show_default=False)]) -> None:
    """Delete people, with their keys."""
    found = [person(call.native, user) for user in users]
    for one in found:
        call.native.delete("users", one["id"])
    names = [one["name"] for one in found]
    call.out.done({"deleted": names}, f"Deleted {', '.join(names)}.")


@command(app)
def roles(call: Call) -> None:
    """List the roles there are, and what they allow."""
    found = list(call.native.everything("roles"))
    call.out.rows(
        found,
        ("role", "built in", "permissions"),
        ((role["name"], role["built_in"], ", ".join(role["permissions"])) for role in found),
        empty="There are no roles.",
    )


def _changes(call: Call, known_limits: dict[str, Any]) -> dict[str, Any]:
    """The fields that options give. Limits are replaced as a whole, so those that are known are sent again."""
    given = call.given
    body: dict[str, Any] = {name: given[name] for name in _PROFILE if given[name] is not None}
    if given["role"]:
        body["roles"] = given["role"]
    if given["deployment"] is not None and given["workspace"] is not None:
        raise Problem("give --deployment-id or --workspace-id, not both", ExitCode.USAGE)
    for level in ("deployment", "workspace"):
        if given[level] is not None:
            body["scope"] = {"kind": level, "name": given[level]}
    changed = limits.of(given, call.now)
    if changed:
        body["limits"] = known_limits | changed
    return body


def _row(user: dict[str, Any]) -> tuple[Any, ...]:
    scope = user["scope"]
    return (
        user["name"],
        ", ".join(user["roles"]),
        scope["kind"] if scope["name"] is None else f"{scope['kind']} {scope['name']}",
        limits.told(user["limits"]) or None,
        user["active"],
        f"{user['first_name']} {user['last_name']}".strip() or None,
        user["email"] or None,
        when(user["created_at"]),
    )
