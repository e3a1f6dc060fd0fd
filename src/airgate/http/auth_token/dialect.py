"""The sign-in as a table: ``/auth/token``, and ``/auth/token/cli`` for tokens that count less long."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from airgate.access.credentials import looks_like_token
from airgate.http.auth_token import errors
from airgate.http.auth_token.requests import read_sign_in
from airgate.http.operations import Call, Dialect, Operation
from airgate.http.replies import Reply

_PATH: Final = "/token"
_ONLY_OPEN: Final = "This method is only allowed if ``[core] simple_auth_manager_all_admins`` is True"


async def sign_in(call: Call) -> Reply:
    """POST /token."""
    return await _signed_in(call, cli=False)


async def sign_in_cli(call: Call) -> Reply:
    """POST /token/cli."""
    return await _signed_in(call, cli=True)


async def nobody(call: Call) -> Reply:
    """GET: Airflow gives tokens to everybody here where it is told to trust everybody. Airgate never does."""
    raise errors.Refusal(403, _ONLY_OPEN)


async def _signed_in(call: Call, *, cli: bool) -> Reply:
    asked = read_sign_in(call.header(b"content-type"), call.raw_body)
    if not looks_like_token(asked.username):
        call.about(actor=asked.username)
    token = await call.services.tokens.sign_in(asked.username, asked.password, call.address, cli=cli)
    return Reply(status=201, body=msgspec.json.encode({"access_token": token}))


def encode(value: Any) -> Reply:
    """A handler's value as JSON."""
    return Reply(body=msgspec.json.encode(value))


AUTH_TOKEN: Final = Dialect(
    name="auth-token",
    prefix="/auth",
    operations=(
        Operation(method="POST", path=_PATH, handler=sign_in, body=bytes, event="sign_in"),
        Operation(method="POST", path=f"{_PATH}/cli", handler=sign_in_cli, body=bytes, event="sign_in"),
        Operation(method="GET", path=_PATH, handler=nobody),
        Operation(method="GET", path=f"{_PATH}/login", handler=nobody),
    ),
    checks=(),
    encode=encode,
    explain=errors.explain,
    headers=((b"cache-control", b"no-store"), (b"x-robots-tag", b"noindex, nofollow")),
)
