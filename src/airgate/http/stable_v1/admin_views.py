"""Model to wire: pools, variables, connections and health in v1's shapes. Pure functions."""

from __future__ import annotations

import json
from typing import Any, Final

from airgate.deployments.ports import Health
from airgate.model.admin import Connection, Pool, PoolUsage, Variable

_SECRET_WORDS: Final = (
    "access_token", "api_key", "apikey", "authorization", "keyfile_dict", "passphrase", "passwd", "password",
    "private_key", "secret", "service_account", "token",
)  # fmt: skip
_MASK: Final = "***"


def pool_view(pool: Pool, usage: PoolUsage) -> dict[str, Any]:
    """A pool and how much of it is in use."""
    return {
        "deferred_slots": usage.deferred,
        "description": pool.description,
        "include_deferred": pool.include_deferred,
        "name": pool.name,
        "occupied_slots": usage.occupied(pool),
        "open_slots": usage.open(pool),
        "queued_slots": usage.queued,
        "running_slots": usage.running,
        "scheduled_slots": usage.scheduled,
        "slots": pool.slots,
    }


def variable_view(variable: Variable) -> dict[str, Any]:
    """A variable, its value in clear: whoever may read variables may read values."""
    return {"description": variable.description, "key": variable.key, "value": variable.value}


def connection_item_view(connection: Connection) -> dict[str, Any]:
    """A connection as lists show it."""
    return {
        "conn_type": connection.conn_type,
        "connection_id": connection.connection_id,
        "description": connection.description,
        "host": connection.host,
        "login": connection.login,
        "port": connection.port,
        "schema": connection.schema,
    }


def connection_view(connection: Connection) -> dict[str, Any]:
    """A connection with its extra, secrets in it masked. The password is never shown."""
    return connection_item_view(connection) | {"extra": masked_extra(connection.extra)}


def masked_extra(extra: str | None) -> str | None:
    """The extra with the values of secret-sounding keys replaced. What is not JSON is shown as it is."""
    if extra is None:
        return None
    try:
        return json.dumps(_redacted(json.loads(extra)))
    except (ValueError, RecursionError):
        return extra


def _redacted(value: Any, name: str = "") -> Any:
    if name and value is not None and any(word in name.lower() for word in _SECRET_WORDS):
        return _MASK
    if isinstance(value, dict):
        return {key: _redacted(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    return value


def health_view(health: Health) -> dict[str, Any]:
    """The health of a deployment, part by part."""
    return {
        "dag_processor": {
            "latest_dag_processor_heartbeat": health.dag_processor_heartbeat,
            "status": _WORDS[health.dag_processor],
        },
        "metadatabase": {"status": _WORDS[health.store]},
        "scheduler": {
            "latest_scheduler_heartbeat": health.scheduler_heartbeat,
            "status": _WORDS[health.scheduler],
        },
        "triggerer": {
            "latest_triggerer_heartbeat": health.triggerer_heartbeat,
            "status": _WORDS[health.triggerer],
        },
    }


_WORDS: Final = {None: None, True: "healthy", False: "unhealthy"}
