"""The file by which commands find the server of their data folder, and are known to it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from airgate.data_folder import write_private

NAME: Final = "cli.json"


class LocalServer(msgspec.Struct, frozen=True):
    """Where the server of a data folder was last reached, and a token for it."""

    url: str
    token: str | None = None


def read(data: Path) -> LocalServer | None:
    """What the server of this data folder wrote last; None if it never did, or this user may not read it."""
    try:
        return msgspec.json.decode((data / NAME).read_bytes(), type=LocalServer)
    except (OSError, msgspec.DecodeError):
        return None


def write(data: Path, url: str, token: str | None) -> None:
    """Note where the server answers, for this user alone. Without a token, the one that is there is kept."""
    if token is None:
        known = read(data)
        token = known.token if known else None
    write_private(data / NAME, msgspec.json.encode(LocalServer(url, token)))
