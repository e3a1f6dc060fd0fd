"""Variables in v1. Posting one that exists replaces it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from airgate.http.operations import Call
from airgate.http.replies import Reply
from airgate.http.stable_v1.admin_views import variable_view
from airgate.http.stable_v1.common import NO_CONTENT, existing, masked, order, page
from airgate.http.stable_v1.forms import Field, Form
from airgate.http.stable_v1.problems import Problem, bad_request, not_found
from airgate.model.admin import Variable

_SORTABLE: Final = {"key": "key", "id": "key", "value": "key"}
"""Values are encrypted. Airflow orders by what that makes of them, which is no order at all; here keys decide."""
_INVALID: Final = "Invalid Variable schema"

VARIABLE: Final = Form(
    Field("key", "string", required=True, longest=250),
    Field("value", "string", required=True),
    Field("description", "string", nullable=True),
)


def _missing() -> Problem:
    return not_found("Variable does not exist", "Variable not found")


async def list_variables(call: Call) -> dict[str, Any]:
    """GET /variables."""
    window = page(call)
    listing = await call.deployment.variables.list(order(call.query.order_by, "id", _SORTABLE), window)
    return {"variables": [variable_view(item) for item in listing.items], "total_entries": listing.total}


async def get_variable(call: Call) -> dict[str, Any]:
    """GET /variables/{variable_key}."""
    return variable_view(await existing(call.deployment.variables.get(call.params["variable_key"]), _missing))


async def post_variable(call: Call) -> dict[str, Any]:
    """POST /variables. The answer repeats what was sent, no more."""
    form = VARIABLE.load(call.body, title=_INVALID)
    await call.deployment.variables.put(Variable(**form))
    return form


async def patch_variable(call: Call) -> dict[str, Any]:
    """PATCH /variables/{variable_key}: what is sent, or the fields of the update mask."""
    key = call.params["variable_key"]
    form = VARIABLE.load(call.body, title=_INVALID)
    if form["key"] != key:
        raise bad_request("key from request body doesn't match uri parameter", "Invalid post body")
    variable = await existing(call.deployment.variables.get(key), _missing)
    if call.query.update_mask:
        mask = ["value" if name.strip() == "val" else name for name in call.query.update_mask]
        form = masked(form, mask, frozenset({"key"}))
    return variable_view(await call.deployment.variables.put(msgspec.structs.replace(variable, **form)))


async def delete_variable(call: Call) -> Reply:
    """DELETE /variables/{variable_key}."""
    missing = not_found(title="Variable not found")
    await existing(call.deployment.variables.delete(call.params["variable_key"]), lambda: missing)
    return NO_CONTENT
