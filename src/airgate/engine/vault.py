"""Answers to what DAG code asks for wherever it runs, in a try or at the top of its file: variables and connections."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from airgate.engine.ports import TaskMessageError
from airgate.model.admin import Variable
from airgate.model.errors import NotFound
from airgate.store import connections, variables
from airgate.store.database import Database, Tx

Body = dict[str, Any]
Answer = Body | None


class Vault:
    """Variables and connections of the store, in the shapes of the Task SDK."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table: Mapping[str, Callable[[Body], Awaitable[Answer]]] = {
            "GetVariable": self._get_variable,
            "GetVariableKeys": self._get_variable_keys,
            "PutVariable": self._put_variable,
            "DeleteVariable": self._delete_variable,
            "GetConnection": self._get_connection,
            "MaskSecret": self._mask_secret,
        }

    async def answer(self, body: Body) -> Answer:
        """Answer one request.

        Raises:
            TaskMessageError: it is not one Airgate knows.
        """
        handler = self._table.get(str(body.get("type")))
        if handler is None:
            raise TaskMessageError(
                "API_SERVER_ERROR",
                {"status_code": 501, "message": f"Airgate's engine does not answer {body.get('type')} yet."},
            )
        return await handler(body)

    async def _mask_secret(self, body: Body) -> Answer:
        return None  # what DAG code writes is masked in its own process

    async def _get_variable(self, body: Body) -> Answer:
        try:
            found = await self._database.read(variables.get, body["key"])
        except NotFound:
            return missing("VARIABLE_NOT_FOUND", key=body["key"])
        return {"type": "VariableResult", "key": found.key, "value": found.value}

    async def _get_variable_keys(self, body: Body) -> Answer:
        keys = await self._database.read(variables.keys, body.get("prefix"))
        start = body.get("offset") or 0
        return {
            "type": "VariableKeysResult",
            "keys": list(keys[start : start + (body.get("limit") or 1000)]),
            "total_entries": len(keys),
        }

    async def _put_variable(self, body: Body) -> Answer:
        value = "" if body["value"] is None else body["value"]
        await self._database.write(
            variables.put, Variable(key=body["key"], value=value, description=body.get("description"))
        )
        return None

    async def _delete_variable(self, body: Body) -> Answer:
        def delete(tx: Tx) -> None:
            try:
                variables.delete(tx, body["key"])
            except NotFound:
                return

        await self._database.write(delete)
        return {"type": "OKResponse", "ok": True}

    async def _get_connection(self, body: Body) -> Answer:
        try:
            found = await self._database.read(connections.get, body["conn_id"])
        except NotFound:
            return missing("CONNECTION_NOT_FOUND", conn_id=body["conn_id"])
        return {
            "type": "ConnectionResult",
            "conn_id": found.connection_id,
            "conn_type": found.conn_type,
            "host": found.host,
            "schema": found.schema,
            "login": found.login,
            "password": found.password,
            "port": found.port,
            "extra": found.extra,
        }


def missing(error: str, **detail: Any) -> Body:
    """The answer that there is no such thing, in Airflow's words."""
    return {"type": "ErrorResponse", "error": error, "detail": detail}
