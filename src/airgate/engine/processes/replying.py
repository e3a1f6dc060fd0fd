"""Answering a request that came over a connection, in the Task SDK's terms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog

from airgate.engine.ports import TaskMessageError
from airgate.engine.wire import FrameConnection
from airgate.model.errors import AirgateError

log = structlog.get_logger(__name__)

Respond = Callable[[dict[str, Any]], Awaitable[dict[str, Any] | None]]


async def reply(connection: FrameConnection, frame_id: int, body: dict[str, Any], respond: Respond) -> None:
    """Answer one request; whatever goes wrong becomes an ErrorResponse, so that nobody waits for ever."""
    try:
        connection.send(frame_id, await respond(body))
    except TaskMessageError as error:
        connection.send(frame_id, None, _error_response(error.error, error.detail))
    except AirgateError as error:
        connection.send(frame_id, None, _error_response("API_SERVER_ERROR", {"message": error.detail}))
    except Exception as error:
        log.exception("A request of DAG code failed", request=body.get("type"))
        connection.send(frame_id, None, _error_response("API_SERVER_ERROR", {"message": str(error)}))


def _error_response(error: str, detail: dict[str, Any]) -> dict[str, Any]:
    return {"type": "ErrorResponse", "error": error, "detail": msgspec.to_builtins(detail)}
