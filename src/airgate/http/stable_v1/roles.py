"""Roles and permissions in v1, as Airflow's FAB shows them."""

from __future__ import annotations

from typing import Any, Final

from airgate.access.permissions import Permission
from airgate.access.ports import KnownRole
from airgate.http.operations import Call, caller_of
from airgate.http.replies import Reply
from airgate.http.stable_v1.common import NO_CONTENT_JSON, existing, order, page
from airgate.http.stable_v1.forms import Field, Form, Verdict
from airgate.http.stable_v1.problems import Problem, bad_request, not_found
from airgate.http.stable_v1.role_actions import ACTIONS, Pair, actions_of, permissions_of
from airgate.model.errors import Conflict

_SORTABLE: Final = {"role_id": "role_id", "name": "name"}
_HALVES: Final = ("action", "resource")


def _is_action_resource(value: Any) -> Verdict:
    if not isinstance(value, dict):
        return f"{value!r} is not of type 'object'"
    return None


def _is_half(value: dict[str, Any]) -> tuple[str, str] | None:
    """What is wrong inside an item, and where."""
    for half in _HALVES:
        inside = value.get(half, {})
        if not isinstance(inside, dict):
            return f"{inside!r} is not of type 'object'", half
        if not isinstance(inside.get("name", ""), str):
            return f"{inside['name']!r} is not of type 'string'", f"{half}.name"
    return None


ROLE: Final = Form(
    Field("name", "string", required=True, nonempty=True),
    Field("actions", "array", items=_is_action_resource, inside=_is_half),
)


def role_view(role: KnownRole) -> dict[str, Any]:
    """A role as FAB shows it."""
    return {"actions": actions_of(role.permissions), "name": role.name}


async def list_roles(call: Call) -> dict[str, Any]:
    """GET /roles."""
    ordered = order(call.query.order_by, "name", _SORTABLE)
    window = page(call)
    roles = list(await call.services.roles.list(caller_of(call)))
    if ordered.field == "name":
        roles.sort(key=lambda role: role.name)
    if ordered.descending:
        roles.reverse()
    shown = roles[window.offset : window.offset + window.limit]
    return {"roles": [role_view(role) for role in shown], "total_entries": len(roles)}


async def _find(call: Call) -> KnownRole:
    name = call.params["role_name"]
    missing = not_found(f"Role with name {name!r} was not found", "Role not found")
    return await existing(call.services.roles.get(caller_of(call), name), lambda: missing)


async def get_role(call: Call) -> dict[str, Any]:
    """GET /roles/{role_name}."""
    return role_view(await _find(call))


async def post_role(call: Call) -> dict[str, Any]:
    """POST /roles."""
    form = ROLE.load(call.body)
    name = form["name"]
    if any(role.name == name for role in await call.services.roles.list(caller_of(call))):
        raise _exists(name)
    permissions = _permissions(form)
    try:
        return role_view(await call.services.roles.create(caller_of(call), name, permissions))
    except Conflict:
        raise _exists(name) from None


def _exists(name: str) -> Problem:
    return Problem(409, f"Role with name {name!r} already exists; please update with the PATCH endpoint")


async def patch_role(call: Call) -> dict[str, Any]:
    """PATCH /roles/{role_name}: a new name, and actions that are added to those it has."""
    form = ROLE.load(call.body)
    role = await _find(call)
    if call.query.update_mask:
        form = _masked(form, call.query.update_mask)
    new_name = form.get("name", role.name)
    permissions = role.permissions | _permissions(form)
    if new_name == role.name and permissions == role.permissions:
        return role_view(role)
    changed = await call.services.roles.update(
        caller_of(call),
        role.name,
        new_name=None if new_name == role.name else new_name,
        permissions=None if permissions == role.permissions else permissions,
    )
    return role_view(changed)


def _masked(form: dict[str, Any], mask: tuple[str, ...]) -> dict[str, Any]:
    names = [name.strip() for name in mask]
    for name in names:
        if name not in form:
            raise bad_request(f"{name!r} in update_mask is unknown")
    return {name: form[name] for name in names}


async def delete_role(call: Call) -> Reply:
    """DELETE /roles/{role_name}."""
    role = await _find(call)
    await call.services.roles.delete(caller_of(call), role.name)
    return NO_CONTENT_JSON


async def list_permissions(call: Call) -> dict[str, Any]:
    """GET /permissions: the actions that roles are made of."""
    window = page(call)
    shown = ACTIONS[window.offset : window.offset + window.limit]
    return {"actions": [{"name": name} for name in shown], "total_entries": len(ACTIONS)}


def _permissions(form: dict[str, Any]) -> frozenset[Permission]:
    pairs = []
    errors = {}
    for index, item in enumerate(form.get("actions", ())):
        missing = [half for half in _HALVES if "name" not in item.get(half, {})]
        if missing:
            errors[index] = {half: {"name": ["Missing data for required field."]} for half in missing}
        else:
            pairs.append(Pair(item["action"]["name"], item["resource"]["name"]))
    if errors:
        raise bad_request(str({"actions": errors}))
    return permissions_of(pairs)
