"""The systems under measurement: each starts from nothing, is driven over HTTP, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import psutil  # type: ignore[import-untyped]  # the wheel has no type information

from benchmarks.wire import Wire


class Peer(Protocol):
    """A running system, as a scenario sees it."""

    name: str
    port: int
    base: str
    """Path of its API: ``/api/v1`` or ``/api/v2``."""
    poll: float
    """Seconds between two looks at a run that has not finished."""

    def wire(self) -> Wire:
        """A new connection with credentials."""

    def body(self, run_id: str | None = None) -> dict[str, Any]:
        """The body of a POST that starts a run; without `run_id` the server names it."""

    def set_paused(self, dag_id: str, *, paused: bool) -> None:
        """Pause a DAG, or let its runs start."""

    def tree(self) -> Sequence[psutil.Process]:
        """All processes of the system, its database included."""
