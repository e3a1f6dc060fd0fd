"""Pools in the experimental dialect. Making one that exists changes it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from airgate.http.experimental.errors import Refusal, bad_request
from airgate.http.experimental.requests import json_object
from airgate.http.experimental.views import pool_view
from airgate.http.operations import Call
from airgate.model.admin import DEFAULT_POOL, Pool
from airgate.model.errors import Conflict, NotFound
from airgate.model.query import Order, Page

_NEEDED: Final = ("name", "slots", "description")
_LONGEST_NAME: Final = 256
_MOST_SLOTS: Final = 2**31 - 1
_ALL: Final = Page(100_000)


async def list_pools(call: Call) -> list[dict[str, Any]]:
    """GET /pools."""
    listing = await call.deployment.pools.list(Order("name"), _ALL)
    return [pool_view(pool) for pool, _ in listing.items]


async def get_pool(call: Call) -> dict[str, Any]:
    """GET /pools/{name}."""
    return pool_view(await _find(call))


async def _find(call: Call) -> Pool:
    name = call.params["name"]
    _check_name(name)
    try:
        pool, _ = await call.deployment.pools.get(name)
    except NotFound:
        raise _unknown(name) from None
    return pool


def _unknown(name: str) -> Refusal:
    return Refusal(404, f"Pool '{name}' doesn't exist")


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise bad_request("Pool name shouldn't be empty")


async def put_pool(call: Call) -> dict[str, Any]:
    """POST /pools: make a pool, or give one that exists these slots and this description."""
    wanted = _wanted(json_object(call))
    pools = call.deployment.pools
    try:
        return pool_view(await pools.create(wanted))
    except Conflict:
        pass
    try:
        known, _ = await pools.get(wanted.name)
        changed = msgspec.structs.replace(known, slots=wanted.slots, description=wanted.description)
        return pool_view(await pools.update(known.name, changed))
    except NotFound:
        raise _unknown(wanted.name) from None  # deleted in this very moment


def _wanted(body: dict[str, Any]) -> Pool:
    missing = [name for name in _NEEDED if name not in body]
    if missing:
        raise bad_request(f"A pool needs name, slots and description; missing: {', '.join(missing)}")
    name, description = body["name"], body["description"]
    _check_name(name)
    if len(name) > _LONGEST_NAME:
        raise bad_request(f"Pool name shouldn't be longer than {_LONGEST_NAME} characters")
    if description is not None and not isinstance(description, str):
        raise bad_request("The description of a pool must be a string, or null")
    return Pool(name=name, slots=_slots(body["slots"]), description=description)


def _slots(value: object) -> int:
    """As 1.10 reads them: numbers, also written as text; -1 is without limit."""
    try:
        slots = int(value) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        slots = None
    if slots is None or not -1 <= slots <= _MOST_SLOTS:
        raise bad_request(f"Bad value for `slots`: {value}")
    return slots


async def delete_pool(call: Call) -> dict[str, Any]:
    """DELETE /pools/{name}; answers what it was."""
    _check_name(call.params["name"])
    if call.params["name"] == DEFAULT_POOL:
        raise bad_request("default_pool cannot be deleted")
    pool = await _find(call)
    try:
        await call.deployment.pools.delete(pool.name)
    except NotFound:
        raise _unknown(pool.name) from None
    return pool_view(pool)
