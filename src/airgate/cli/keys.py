"""`airgate keys`: API keys, one's own or another identity's."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from airgate.cli import moments
from airgate.cli.client import Call, command
from airgate.cli.identities import identity_id
from airgate.cli.output import plain, when

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Keep API keys: your own, or those of a user or service account."
)

Identity = Annotated[
    str | None,
    typer.Option("--identity", "-i", help="Name or id of a user or service account; by default whoever asks."),
]

_COLUMNS: Final = ("label", "id", "created", "expires", "last used", "batch")


@command(app, "list", alias="ls")
def list_(call: Call, identity: Identity = None) -> None:
    """List keys, newest first. What they are is shown once, when they are made."""
    found = list(call.native.everything("identities", identity_id(call.native, identity), "keys"))
    call.out.rows(found, _COLUMNS, map(_row, found), empty="There are no keys.")


@command(app, alias="cr")
def create(
    call: Call,
    identity: Identity = None,
    label: Annotated[str, typer.Option("--label", "-l", help="What to tell it by.")] = "",
    expires: Annotated[
        str | None, typer.Option("--expires", help="Until when: 90d, 2026-12-31, 2026-12-31T12:00:00Z.")
    ] = None,
    batch: Annotated[bool, typer.Option("--batch", help="Mark it for the batch plugin's dialect.")] = False,
) -> None:
    """Issue a key, and show it: this once."""
    body: dict[str, Any] = {"label": label, "batch": batch}
    if expires is not None:
        body["expires_at"] = moments.later("--expires", expires, call.now)
    made = call.native.post("identities", identity_id(call.native, identity), "keys", body=body)
    if call.out.as_json:
        call.out.json(made)
    else:
        call.out.text(plain(("LABEL", "ID", "APIKEY"), [(made["label"] or "-", made["id"], made["api_key"])]))


@command(app, alias="de")
def revoke(
    call: Call,
    key_ids: Annotated[list[str], typer.Argument(help="Ids of keys.", show_default=False)],
    identity: Identity = None,
) -> None:
    """Revoke keys: they count no more, at once."""
    owner = identity_id(call.native, identity)
    for key_id in key_ids:
        call.native.delete("identities", owner, "keys", key_id)
    call.out.done({"revoked": key_ids}, f"Revoked {', '.join(key_ids)}.")


def _row(key: dict[str, Any]) -> tuple[Any, ...]:
    dates = (when(key[name]) for name in ("created_at", "expires_at", "last_used_at"))
    return (key["label"] or None, key["id"], *dates, key["batch"])
