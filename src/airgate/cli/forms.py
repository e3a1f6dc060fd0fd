"""Airflow's own JSON forms of variables, connections and pools, to and from what the API speaks. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from airgate.cli.exits import ExitCode, Problem

CONNECTION_FIELDS: Final = ("conn_type", "description", "host", "login", "password", "schema", "port", "extra")
MASK: Final = "***"
"""What servers give in place of a secret."""

_TYPES_BY_SCHEME: Final = {"postgresql": "postgres"}


def variable_of(key: str, form: Any) -> dict[str, Any]:
    """A variable to POST. Text is taken as it is, all else as JSON; `{"value": …, "description": …}` is both."""
    description = None
    if isinstance(form, dict) and "value" in form:
        form, description = form["value"], form.get("description")
    value = form if isinstance(form, str) else json.dumps(form)
    return {"key": key, "value": value, "description": description}


def variables_form(variables: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What `airflow variables export` writes: values that are JSON (but not text) as what they mean."""
    form: dict[str, Any] = {}
    for variable in variables:
        value = _meaning(variable["value"])
        described = variable.get("description") or (isinstance(value, dict) and "value" in value)
        form[variable["key"]] = {"value": value, "description": variable.get("description")} if described else value
    return form


def _meaning(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, str) else value


def connection_of(connection_id: str, form: Any) -> dict[str, Any]:
    """A connection to POST, of an Airflow URI or of its JSON form.

    Raises:
        Problem: the form is neither.
    """
    if isinstance(form, str):
        return {"connection_id": connection_id, **of_uri(form)}
    if not isinstance(form, dict):
        raise Problem(f"connection {connection_id} must be a URI or an object", ExitCode.USAGE)
    fields = dict(form)
    if fields.pop("conn_id", connection_id) != connection_id:
        raise Problem(f"connection {connection_id} says that its conn_id is {form['conn_id']}", ExitCode.USAGE)
    if "extra_dejson" in fields:
        fields["extra"] = fields.pop("extra_dejson")
    unknown = sorted(fields.keys() - set(CONNECTION_FIELDS))
    if unknown:
        raise Problem(f"connection {connection_id} has no field {', '.join(unknown)}", ExitCode.USAGE)
    if not fields.get("conn_type"):
        raise Problem(f"connection {connection_id} needs a conn_type", ExitCode.USAGE)
    if isinstance(fields.get("extra"), (dict, list)):
        fields["extra"] = json.dumps(fields["extra"])
    if _is_masked(fields.get("extra")):
        raise Problem(f"the extra of connection {connection_id} is masked: put its secrets back", ExitCode.USAGE)
    if fields.get("port") is not None:
        fields["port"] = _port(fields["port"])
    given = {name: value for name, value in fields.items() if value is not None}
    return {"connection_id": connection_id, **given}


def of_uri(uri: str) -> dict[str, Any]:
    """The fields in an Airflow connection URI. Raises Problem where it is none."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as error:
        raise Problem(f"this is no connection URI: {error}", ExitCode.USAGE) from error
    if not parts.scheme:
        raise Problem("a connection URI starts with its type, such as postgres://", ExitCode.USAGE)
    conn_type = _TYPES_BY_SCHEME.get(parts.scheme, parts.scheme).replace("-", "_")
    fields = {
        "conn_type": conn_type,
        "host": _unquoted(_host(parts.netloc)),
        "login": _unquoted(parts.username),
        "password": _unquoted(parts.password),
        "schema": _unquoted(parts.path.removeprefix("/")),
        "port": port,
        "extra": _extra(parts.query),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _host(netloc: str) -> str:
    """The host in the case it was written in, which `urlsplit` does not keep."""
    address = netloc.rpartition("@")[2]
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0]


def _is_masked(extra: Any) -> bool:
    """Whether an export has masked secrets in it, which an import would put in place of the real ones."""
    try:
        fields = json.loads(extra or "{}")
    except (TypeError, ValueError):
        return False
    return isinstance(fields, dict) and MASK in fields.values()


def _unquoted(text: str | None) -> str | None:
    return unquote(text) if text else None


def _extra(query: str) -> str | None:
    pairs = dict(parse_qsl(query, keep_blank_values=True))
    if not pairs:
        return None
    return pairs["__extra__"] if "__extra__" in pairs else json.dumps(pairs)


def _port(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise Problem(f"a port is a number, not {value!r}", ExitCode.USAGE) from error


def connections_form(connections: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What `airflow connections export` writes, except that the API gives no passwords."""
    return {
        connection["connection_id"]: {name: connection.get(name) for name in CONNECTION_FIELDS}
        for connection in connections
    }


def pool_of(name: str, form: Any) -> dict[str, Any]:
    """A pool to POST. Raises Problem where slots are missing."""
    if not isinstance(form, dict) or "slots" not in form:
        raise Problem(f"pool {name} must be an object with slots", ExitCode.USAGE)
    return {
        "name": name,
        "slots": form["slots"],
        "description": form.get("description"),
        "include_deferred": form.get("include_deferred", False),
    }


def pools_form(pools: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What `airflow pools export` writes."""
    return {
        pool["name"]: {
            "slots": pool["slots"],
            "description": pool.get("description"),
            "include_deferred": pool.get("include_deferred", False),
        }
        for pool in pools
    }
