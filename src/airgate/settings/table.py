"""The table of all settings: their names in file, environment and command line, and what they must be."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from airgate.settings.groups import Settings

_PREFIX: Final = "AIRGATE_"
OTHER_VARIABLES: Final = frozenset({"AIRGATE_CONFIG", "AIRGATE_SERVER", "AIRGATE_TOKEN", "AIRGATE_INSTALLER"})
"""Variables with our prefix that are not settings of the server."""

SECRETS: Final = frozenset({"admin.password", "secret_key", "database", "batch.shared_secret", "mail.password"})
"""Settings whose values are never shown."""

_EXPECTED: Final = {
    "database": "postgresql://user:password@host/name or sqlite:////path/to.db",
    "base_path": "a path of letters, digits, '-', '.', '_' and '~', such as /airgate",
    "public_url": "http:// or https:// and a host, such as https://airgate.example.com",
    "batch.shared_secret": "16 characters or more, printable ASCII without spaces, with fewer than two dots",
    "http.trusted_proxies": "networks, such as 10.0.0.0/8 or 2001:db8::/32",
    "http.access_control_allow_origins": "origins, such as https://app.example.com, or * alone",
}
"""Settings of which their type does not say enough."""

WITHOUT_OPTION: Final = frozenset({"admin.password", "secret_key", "batch.shared_secret", "mail.password"})
"""Settings that command lines must not carry, as every user of the machine can read those."""


_OTHER_NAMES: Final = {
    "batch.shared_secret": tuple(
        f"AIRFLOW__{name}_AIRFLOW_API_AUTH" for name in ("AIRFLOW_API_PLUGIN_", "AIRFLOW__API__PLUGIN")
    )
}
"""Environment variables that count where ours is not set: those of what Airgate stands in for."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table."""

    name: str
    type: Any
    default: Any
    help: str

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return _PREFIX + self.name.replace(".", "_").upper()

    @property
    def variables(self) -> tuple[str, ...]:
        """All its environment variables; the first that is set counts."""
        return (self.variable, *_OTHER_NAMES.get(self.name, ()))

    @property
    def expects(self) -> str:
        """What its value must be, in words."""
        return _EXPECTED.get(self.name) or _in_words(self.type)

    @property
    def option(self) -> str | None:
        """Its option of ``airgate up``, if it has one."""
        if self.name in WITHOUT_OPTION:
            return None
        return "--" + self.name.replace(".", "-").replace("_", "-")


def _in_words(annotation: Any) -> str:
    plain, *extras = get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
    if get_origin(plain) is Literal:
        return "one of " + ", ".join(get_args(plain))
    if plain in (int, float):
        return _range("a whole number" if plain is int else "a number", extras)
    if plain is bool:
        return "true or false"
    if get_origin(plain) is tuple:
        return "a list of texts"
    return "a path" if Path in (plain, *get_args(plain)) else "text"


def _range(what: str, extras: list[Meta]) -> str:
    bounds = {
        bound: value for meta in extras for bound in ("ge", "gt", "le") if (value := getattr(meta, bound)) is not None
    }
    words = {"ge": "from", "gt": "above", "le": "up to"}
    return " ".join([what, *(f"{words[bound]} {value}" for bound, value in bounds.items())])


def _rows(struct: type[msgspec.Struct], prefix: str = "") -> Iterator[Setting]:
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        annotation = hints[field.name]
        if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
            yield from _rows(annotation, f"{field.name}.")
            continue
        texts = [extra.description for extra in annotation.__metadata__ if isinstance(extra, Meta)]
        yield Setting(
            name=prefix + field.name,
            type=annotation,
            default=field.default,
            help=next(text for text in reversed(texts) if text),
        )


TABLE: Final = tuple(_rows(Settings))
"""Every setting, in the order of the documentation."""
BY_NAME: Final = {setting.name: setting for setting in TABLE}
"""The same by name."""


def shown(value: Any) -> str:
    """A default as people write it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def reference() -> str:
    """The table as Markdown, for docs/configuration.md, which a test holds against it."""
    blocks = []
    for setting in TABLE:
        option = f" · `{setting.option}`" if setting.option else ""
        default = "none" if setting.default in (None, "", ()) else f"`{shown(setting.default)}`"
        blocks.append(
            f"### `{setting.name}`\n\n{setting.help}\n\n"
            f"{setting.expects[0].upper()}{setting.expects[1:]}. Default: {default}. "
            f"{', or '.join(f'`{name}`' for name in setting.variables)}{option}\n"
        )
    return "\n".join(blocks)


def unknown_variables(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Variables that look like a setting but are none, each with the one it resembles.

    Others with our prefix are left alone: Kubernetes makes some for a service that is named airgate.
    """
    known = {setting.variable for setting in TABLE}
    found = []
    for name in sorted(environment):
        if name.startswith(_PREFIX) and name not in known | OTHER_VARIABLES:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            found += [(name, close[0])] if close else []
    return tuple(found)
