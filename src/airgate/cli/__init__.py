"""The `airgate` command. It starts the server, and otherwise speaks HTTP to a running one, as any client does."""

from __future__ import annotations

from airgate.cli.root import main

__all__ = ["main"]
