"""The data folder: made for this user alone, with the secret key in it."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from airgate.settings import Settings, SettingsError

_KEY: Final = "secret.key"


def prepare_data_folder(data: Path) -> None:
    """Make the data folder, closed to other users, and keep version control away from it.

    Raises:
        SettingsError: it cannot be made.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = data / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"the data folder {data} cannot be made: {error.strerror or error}") from error


def secret_key(settings: Settings, random_bytes: Callable[[int], bytes] = os.urandom) -> bytes:
    """The Fernet key: the one that is set, else the data folder's, which is made at the first call.

    Raises:
        SettingsError: the key is none, or its file cannot be read or written.
    """
    if settings.secret_key is not None:
        return _checked_key(settings.secret_key.encode(), "secret_key")
    path = settings.data / _KEY
    try:
        if not path.exists():
            write_private(path, base64.urlsafe_b64encode(random_bytes(32)), replace=False)
        return _checked_key(path.read_bytes().strip(), str(path))
    except OSError as error:
        raise SettingsError(f"the secret key {path} cannot be used: {error.strerror or error}") from error


def _checked_key(key: bytes, source: str) -> bytes:
    try:
        right = len(base64.urlsafe_b64decode(key)) == 32
    except (binascii.Error, ValueError):
        right = False
    if not right:
        raise SettingsError(f"{source} is no Fernet key: 32 bytes in URL-safe base64 are expected")
    return key


def write_private(path: Path, content: bytes, *, replace: bool = True) -> None:
    """Write a file that only this user may read, whole or not at all. Without `replace`, an existing one is kept."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        if replace:
            beside.replace(path)
        elif not path.exists():
            os.link(beside, path)
    except FileExistsError:
        pass  # another process was first, and its file is as good
    finally:
        beside.unlink(missing_ok=True)
