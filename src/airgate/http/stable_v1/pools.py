"""Pools in v1."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from airgate.http.operations import Call
from airgate.http.replies import Reply
from airgate.http.stable_v1.admin_views import pool_view
from airgate.http.stable_v1.common import NO_CONTENT, existing, order, page
from airgate.http.stable_v1.forms import Field, Form
from airgate.http.stable_v1.problems import Problem, bad_request, not_found
from airgate.model.admin import DEFAULT_POOL, Pool, PoolUsage
from airgate.model.errors import Conflict

_SORTABLE: Final = {"name": "name", "slots": "slots", "id": "name"}
_COUNTED: Final = ("occupied", "running", "queued", "open", "scheduled", "deferred")
_WRITABLE: Final = ("name", "slots", "description", "include_deferred")
_FREE_IN_DEFAULT: Final = frozenset({"slots", "include_deferred"})

POOL: Final = Form(
    Field("name", "string", longest=256),
    Field("slots", "integer"),
    *(Field(f"{counted}_slots", "integer", read_only=True) for counted in _COUNTED),
    Field("description", "string", nullable=True, none=True),
    Field("include_deferred", "boolean"),
)


def _missing(name: str) -> Problem:
    return not_found(f"Pool with name:'{name}' not found")


def _require(body: dict[str, Any]) -> None:
    missing = [name for name in ("name", "slots") if name not in body]
    if missing:
        raise bad_request(f"Missing required property(ies): {missing!r}")


async def list_pools(call: Call) -> dict[str, Any]:
    """GET /pools."""
    window = page(call)
    listing = await call.deployment.pools.list(order(call.query.order_by, "id", _SORTABLE), window)
    return {"pools": [pool_view(pool, usage) for pool, usage in listing.items], "total_entries": listing.total}


async def get_pool(call: Call) -> dict[str, Any]:
    """GET /pools/{pool_name}."""
    return pool_view(*await _find(call))


async def _find(call: Call) -> tuple[Pool, PoolUsage]:
    name = call.params["pool_name"]
    return await existing(call.deployment.pools.get(name), lambda: _missing(name))


async def post_pool(call: Call) -> dict[str, Any]:
    """POST /pools."""
    _require(call.body)
    form = POOL.load(call.body)
    try:
        pool = await call.deployment.pools.create(Pool(**form))
    except Conflict:
        raise Problem(409, f"Pool: {form['name']} already exists") from None
    return pool_view(pool, PoolUsage())


async def patch_pool(call: Call) -> dict[str, Any]:
    """PATCH /pools/{pool_name}: all of it, or the fields of the update mask."""
    name, mask = call.params["pool_name"], call.query.update_mask
    mask = tuple(field.strip() for field in mask) if mask else ()
    is_default = name == DEFAULT_POOL and call.body.get("name") != DEFAULT_POOL
    if is_default and not (mask and _FREE_IN_DEFAULT.issuperset(mask)):
        raise bad_request("Default Pool's name can't be modified")
    pool, _ = await _find(call)
    form = {"include_deferred": False} | POOL.load(call.body)
    if mask:
        form = _masked(form, mask)
    else:
        _require(call.body)
    try:
        await call.deployment.pools.update(name, msgspec.structs.replace(pool, **form))
    except Conflict:
        raise Problem(409, f"Pool: {form['name']} already exists") from None
    return pool_view(*await call.deployment.pools.get(form.get("name", name)))


def _masked(form: dict[str, Any], mask: tuple[str, ...]) -> dict[str, Any]:
    for field in mask:
        if field not in _WRITABLE:
            raise bad_request(f"Invalid field: {field} in update mask")
        if field not in form:
            raise bad_request(f"Missing required property(ies): {[field]!r}")
    return {field: form[field] for field in mask}


async def delete_pool(call: Call) -> Reply:
    """DELETE /pools/{pool_name}."""
    name = call.params["pool_name"]
    if name == DEFAULT_POOL:
        raise bad_request("Default Pool can't be deleted")
    await existing(call.deployment.pools.delete(name), lambda: _missing(name))
    return NO_CONTENT
