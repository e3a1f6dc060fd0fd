"""Users in v1, as Airflow's FAB shows them: the people among the identities."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from msgspec import UNSET

from airgate.access.ports import NewPerson, PersonChange
from airgate.http.operations import Call, caller_of
from airgate.http.replies import Reply
from airgate.http.stable_v1.common import NO_CONTENT_JSON, existing, order, page
from airgate.http.stable_v1.forms import Field, Form
from airgate.http.stable_v1.problems import Problem, bad_request, not_found
from airgate.model.errors import Conflict, InvalidInput, NotFound
from airgate.model.identity import Identity, Profile

_SORTABLE: Final = {
    "id": "id", "first_name": "first_name", "last_name": "last_name", "user_name": "name", "username": "name",
    "email": "email", "is_active": "active", "role": "roles",
}  # fmt: skip
_PROFILE: Final = ("first_name", "last_name", "email")


def _is_named(value: Any) -> str | None:
    if not isinstance(value, dict):
        return f"{value!r} is not of type 'object'"
    return None if isinstance(value.get("name", ""), str) else f"{value['name']!r} is not of type 'string'"


USER: Final = Form(
    Field("first_name", "string", required=True, longest=256),
    Field("last_name", "string", required=True, longest=256),
    Field("username", "string", required=True, nonempty=True),
    Field("email", "string", required=True, nonempty=True, longest=512),
    *(Field(name, "boolean", read_only=True) for name in ("active",)),
    *(Field(name, "string", read_only=True) for name in ("last_login", "created_on", "changed_on")),
    *(Field(name, "integer", read_only=True) for name in ("login_count", "failed_login_count")),
    Field("roles", "array", items=_is_named),
    Field("password", "string", secret=True),
)


def user_view(person: Identity) -> dict[str, Any]:
    """A person as FAB shows a user: dates without an offset, and the counter under both of its names."""
    return {
        "active": person.active,
        "changed_on": _naive(person.updated_at or person.created_at),
        "created_on": _naive(person.created_at),
        "email": person.profile.email or person.name,  # clients check that there is one
        "fail_login_count": None,
        "failed_login_count": None,
        "first_name": person.profile.first_name,
        "last_login": None,
        "last_name": person.profile.last_name,
        "login_count": None,
        "roles": [{"name": role} for role in person.roles],
        "username": person.name,
    }


def _naive(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat()


async def list_users(call: Call) -> dict[str, Any]:
    """GET /users."""
    ordered = order(call.query.order_by, "id", _SORTABLE)
    listing = await call.services.accounts.page_of_people(caller_of(call), ordered, page(call))
    return {"users": [user_view(person) for person in listing.items], "total_entries": listing.total}


async def _find(call: Call) -> Identity:
    name = call.params["username"]
    missing = not_found(f"The User with username `{name}` was not found", "User not found")
    return await existing(call.services.accounts.person(caller_of(call), name), lambda: missing)


async def get_user(call: Call) -> dict[str, Any]:
    """GET /users/{username}."""
    return user_view(await _find(call))


async def post_user(call: Call) -> dict[str, Any]:
    """POST /users."""
    form = USER.load(call.body)
    roles = _roles(form)
    name, email = form["username"], form["email"]
    new = NewPerson(
        name=name,
        password=form.get("password"),
        roles=roles,
        profile=Profile(**{field: form[field] for field in _PROFILE}),
    )
    try:
        return user_view(await call.services.accounts.create_person(caller_of(call), new))
    except Conflict as error:
        name_taken = f"Username `{name}` already exists. Use PATCH to update."
        raise await _clash(call, error, None, name, (name_taken, f"The email `{email}` is already taken.")) from None
    except InvalidInput as error:
        raise await _explained(call, error, roles) from None


async def patch_user(call: Call) -> dict[str, Any]:
    """PATCH /users/{username}: what is sent, or the fields of the update mask."""
    form = USER.load(call.body)
    person = await _find(call)
    name, email = form["username"], form["email"]
    changed = _masked(form, call.query.update_mask)
    profile = {field: changed.get(field, getattr(person.profile, field)) for field in _PROFILE}
    roles = _roles(changed)
    change = PersonChange(
        name=changed["username"] if changed.get("username", person.name) != person.name else UNSET,
        password=changed.get("password", UNSET),
        roles=roles if "roles" in changed else UNSET,
        profile=Profile(**profile),
    )
    try:
        return user_view(await call.services.accounts.update_person(caller_of(call), person.id, change))
    except Conflict as error:
        taken = f"The username `{name}` already exists", f"The email `{email}` already exists"
        raise await _clash(call, error, person, name, taken) from None
    except InvalidInput as error:
        raise await _explained(call, error, roles) from None


async def delete_user(call: Call) -> Reply:
    """DELETE /users/{username}."""
    person = await _find(call)
    await call.services.accounts.delete(caller_of(call), person.id)
    return NO_CONTENT_JSON


def _masked(form: dict[str, Any], mask: tuple[str, ...] | None) -> dict[str, Any]:
    if not mask:
        return form
    names = [name.strip() for name in mask]
    unknown = sorted({name for name in names if name not in form})
    if unknown:
        raise bad_request(f"Unknown update masks: {', '.join(map(repr, unknown))}")
    return {name: form[name] for name in names}


def _roles(form: dict[str, Any]) -> tuple[str, ...]:
    """The roles' names, each once."""
    named = form.get("roles", ())
    nameless = [index for index, role in enumerate(named) if "name" not in role]
    if nameless:
        errors = {index: {"name": ["Missing data for required field."]} for index in nameless}
        raise bad_request(str({"roles": errors}))
    return tuple(dict.fromkeys(role["name"] for role in named))


async def _clash(call: Call, error: Conflict, own: Identity | None, name: str, taken: tuple[str, str]) -> Problem:
    """What clashes, in v1's words for a name and for an address that are taken. Of both, v1 tells of the name."""
    match error.code:
        case "identity_exists":
            return Problem(409, taken[0])
        case "email_exists":
            return Problem(409, taken[0] if await _is_taken(call, own, name) else taken[1])
        case _:
            return Problem(409, error.detail)


async def _is_taken(call: Call, own: Identity | None, name: str) -> bool:
    try:
        found = await call.services.accounts.person(caller_of(call), name)
    except NotFound:
        return False
    return own is None or found.id != own.id


async def _explained(call: Call, error: InvalidInput, roles: tuple[str, ...]) -> Problem:
    """The problem with a value, in v1's words where it is a role that does not exist."""
    if error.code != "role_unknown":
        return bad_request(error.detail)
    known = {role.name for role in await call.services.roles.list(caller_of(call))}
    return bad_request(f"Unknown roles: {', '.join(repr(role) for role in sorted(set(roles) - known))}")
