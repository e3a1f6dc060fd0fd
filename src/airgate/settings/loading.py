"""Settings as options, environment and file give them, checked and put together."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

import msgspec

from airgate.settings.errors import SettingsError
from airgate.settings.groups import Settings, Words
from airgate.settings.table import BY_NAME, SECRETS, TABLE

FILE_NAME: Final = "airgate.toml"
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._~-]+")
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s*]+|null")
_PUBLIC_URL: Final = re.compile(r"https?://[^\s/?#@]+")
_DATABASE: Final = re.compile(r"(postgresql(\+psycopg)?://|sqlite:///)\S+$")


class Given(msgspec.Struct, frozen=True):
    """A value as somebody gave it: `source` says where, in words for the one who did."""

    name: str
    value: Any
    source: str
    base: Path
    """The folder that relative paths are meant from."""


def load(
    *,
    options: Mapping[str, str] | None = None,
    environment: Mapping[str, str],
    config: Path | None = None,
    folder: Path,
) -> Settings:
    """The settings as given by options, environment and file.

    Args:
        options: values of command-line options by name of the setting, as text.
        environment: the environment variables; those with unknown names are left alone.
        config: the file to read; without it ``AIRGATE_CONFIG``, else ``airgate.toml`` in the data folder if it exists.
        folder: what relative paths are meant from, but for those in the file, which start from the file's folder.

    Raises:
        SettingsError: a file cannot be read, or a value cannot be used.
    """
    from_options = [
        Given(name, value, f"option {BY_NAME[name].option}", folder) for name, value in (options or {}).items()
    ]
    from_environment = list(_from_environment(environment, folder))
    file = _file(config, environment, folder, [*from_environment, *from_options])
    from_file = [] if file is None else list(_from_file(file))
    values: dict[str, Any] = {}
    for given in [*from_file, *from_environment, *from_options]:
        values[given.name] = _value(given)
    return _assembled(values, folder)


def _file(config: Path | None, environment: Mapping[str, str], folder: Path, givens: list[Given]) -> Path | None:
    """The file to read. One that was named must exist."""
    named = config or (Path(environment["AIRGATE_CONFIG"]) if environment.get("AIRGATE_CONFIG") else None)
    if named is not None:
        path = folder / named
        if not path.is_file():
            raise SettingsError(f"configuration file {path} does not exist")
        return path
    data = [_value(given) for given in givens if given.name == "data"] or [folder / Settings().data]
    path = data[-1] / FILE_NAME
    return path if path.is_file() else None


def _from_environment(environment: Mapping[str, str], folder: Path) -> Iterator[Given]:
    for setting in TABLE:
        variable = next(filter(environment.get, setting.variables), None)
        if variable is None:
            continue
        value = environment[variable]
        if setting.name == "port" and value.startswith("tcp://"):
            continue  # Kubernetes sets AIRGATE_PORT=tcp://… in the pods beside a service that is named airgate
        yield Given(setting.name, value, f"environment variable {variable}", folder)


def _from_file(path: Path) -> Iterator[Given]:
    try:
        text = path.read_text(encoding="utf-8")
        tree = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"configuration file {path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: {error}") from error
    lines = _lines(text)
    for name, value in _flat(tree):
        source = f"{path}, line {lines[name]}" if name in lines else str(path)
        if name not in BY_NAME:
            raise SettingsError(f"{source}: there is no setting {name!r}{_suggestion(name)}")
        yield Given(name, value, source, path.parent)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


_TABLE_LINE: Final = re.compile(r"\s*\[\s*([\w.-]+)\s*\]")
_KEY_LINE: Final = re.compile(r"\s*([\w.-]+)\s*=")


def _lines(text: str) -> dict[str, int]:
    """Which line names which setting. Good enough to point at; TOML's rarer spellings get no line."""
    found: dict[str, int] = {}
    prefix = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if table := _TABLE_LINE.match(line):
            prefix = table[1] + "."
        elif key := _KEY_LINE.match(line):
            found.setdefault(prefix + key[1], number)
    return found


def _suggestion(name: str) -> str:
    close = difflib.get_close_matches(name, BY_NAME, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _value(given: Given) -> Any:
    """The value, converted to the setting's type. Text counts as numbers and booleans where it came as text."""
    setting = BY_NAME[given.name]
    is_text = isinstance(given.value, str)
    try:
        raw = given.value.replace(",", " ").split() if is_text and isinstance(setting.default, tuple) else given.value
        value = msgspec.convert(raw, setting.type, strict=not is_text, dec_hook=_path)
        value = _checked(given.name, value)
    except msgspec.ValidationError as error:
        shown = "have this value" if given.name in SECRETS else f"be {given.value!r}"
        raise SettingsError(f"{given.source}: {given.name} cannot {shown}: it must be {setting.expects}") from error
    if isinstance(value, Path):
        value = given.base / value.expanduser()
    return value


def _checked(name: str, value: Any) -> Any:
    """The value in its usual form. Refuses what a type alone does not."""
    if isinstance(value, float) and not math.isfinite(value):
        raise msgspec.ValidationError
    check = _CHECKS.get(name)
    return value if check is None or value is None else check(value)


def _matching(pattern: re.Pattern[str], value: str) -> str:
    if not pattern.fullmatch(value):
        raise msgspec.ValidationError
    return value


def _base_path(value: str) -> str:
    segments = value.strip("/").split("/")
    if segments == [""]:
        return ""
    if any(_SEGMENT.fullmatch(segment) is None or set(segment) == {"."} for segment in segments):
        raise msgspec.ValidationError
    return "/" + "/".join(segments)


def _public_url(value: str) -> str:
    return _matching(_PUBLIC_URL, value.rstrip("/"))


def _networks(values: Words) -> Words:
    try:
        return tuple(str(ip_network(value, strict=False)) for value in values)
    except ValueError as error:
        raise msgspec.ValidationError from error


def _origins(values: Words) -> Words:
    if values != ("*",) and any(_ORIGIN.fullmatch(value) is None for value in values):
        raise msgspec.ValidationError
    return values


def _header(value: str) -> str:
    if not value.isascii() or not value.isprintable():
        raise msgspec.ValidationError
    return value


_CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "database": partial(_matching, _DATABASE),
    "base_path": _base_path,
    "public_url": _public_url,
    "batch.shared_secret": partial(_matching, re.compile(r"(?!.*\..*\.)[!-~]{16,1000}")),  # two dots: a JWT
    "http.trusted_proxies": _networks,
    "http.access_control_allow_origins": _origins,
    "http.access_control_allow_headers": _header,
    "http.access_control_allow_methods": _header,
}
"""What a type alone does not say, and the usual form of what may be written in several."""


def _path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str) and value:
        return Path(value)
    raise msgspec.ValidationError


_GROUPS: Final[Mapping[str, type[msgspec.Struct]]] = {
    field.name: type(field.default)
    for field in msgspec.structs.fields(Settings)
    if isinstance(field.default, msgspec.Struct)
}


def _assembled(values: Mapping[str, Any], folder: Path) -> Settings:
    tree: dict[str, Any] = {}
    for name, value in values.items():
        group, _, leaf = name.rpartition(".")
        (tree.setdefault(group, {}) if group else tree)[leaf] = value
    for group, struct in _GROUPS.items():
        tree[group] = struct(**tree.get(group, {}))
    settings = Settings(**tree)
    return msgspec.structs.replace(settings, dags=folder / settings.dags, data=folder / settings.data)
