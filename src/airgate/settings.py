"""The settings of Airgate: one table of name, type, default and help.

The table is the `Settings` struct itself. A configuration file, the environment, the options of ``airgate up`` and
`docs/configuration.md` all come from it. A value given in two places counts in this order: option, environment
variable, file, default.

A setting ``engine.parallelism`` is ``parallelism`` in the table ``[engine]`` of the file,
``AIRGATE_ENGINE_PARALLELISM`` in the environment and ``--engine-parallelism`` on the command line.
"""

from __future__ import annotations

import difflib
import math
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

FILE_NAME: Final = "airgate.toml"
_PREFIX: Final = "AIRGATE_"
OTHER_VARIABLES: Final = frozenset({"AIRGATE_CONFIG", "AIRGATE_SERVER", "AIRGATE_TOKEN", "AIRGATE_INSTALLER"})
"""Variables with our prefix that are not settings of the server."""

Natural = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]
Words = tuple[str, ...]
"""Several values: a list in the file, elsewhere a text with commas or spaces between them."""


class SettingsError(Exception):
    """A setting cannot be used. The message is one line that names the value, where it came from, and what is right."""


class AdminSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The administrator that the first start creates."""

    user: Annotated[str, Meta(min_length=1, description="Name of the administrator that the first start creates.")] = (
        "admin"
    )
    password: Annotated[
        str | None, Meta(description="The administrator's password. Without it one is made up and shown once.")
    ] = None


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The embedded engine."""

    isolation: Annotated[
        Literal["fork", "reuse"],
        Meta(
            description="`fork`: every try runs in a process of its own. `reuse`: a process runs many tries of one "
            "file version, one after another; faster, but a try sees what earlier ones left in memory."
        ),
    ] = "fork"
    reuse_limit: Annotated[Positive, Meta(description="With `reuse`: tries after which a process is replaced.")] = 100
    parallelism: Annotated[Positive, Meta(description="Tries that run at the same time, over all DAGs.")] = 32
    spares: Annotated[
        Natural, Meta(description="Warm processes kept ready for each DAG file that was used lately.")
    ] = 1
    warm_files: Annotated[
        Positive, Meta(description="DAG files kept imported; beyond that, the least recently used ones go.")
    ] = 10
    nice: Annotated[
        int,
        Meta(
            ge=0,
            le=19,
            description="How many steps of priority DAG code is behind the server, so that triggers are accepted at "
            "once however busy the machine is with tasks. 0: it competes on equal terms.",
        ),
    ] = 10
    import_timeout: Annotated[
        Seconds, Meta(description="Seconds after which the import of a DAG file is given up.")
    ] = 30.0
    kill_grace: Annotated[
        Seconds,
        Meta(description="Seconds between SIGTERM and SIGKILL when a try is stopped. Airflow 3 waits as long."),
    ] = 5.0
    dags_paused_at_creation: Annotated[
        bool,
        Meta(
            description="Whether a DAG that is seen for the first time starts paused, as Airflow has it. A run of a "
            "paused DAG stays queued."
        ),
    ] = False


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The server."""

    max_body: Annotated[Positive, Meta(description="Largest request body, in bytes.")] = 10 * 1024 * 1024
    page_limit: Annotated[
        Positive, Meta(description="Items in a page of a list of the stable API, where the request does not say.")
    ] = 100
    max_page_limit: Annotated[
        Positive,
        Meta(
            description="Most items in a page of a list of the stable API; larger limits are lowered to it, as Airflow "
            "does."
        ),
    ] = 100
    token_seconds: Annotated[
        Seconds, Meta(description="Seconds that a token from `/auth/token` counts. Airflow 3's count a day, too.")
    ] = 86_400.0
    cli_token_seconds: Annotated[
        Seconds, Meta(description="Seconds that a token from `/auth/token/cli` counts. Airflow 3's count an hour, too.")
    ] = 3_600.0
    trusted_proxies: Annotated[
        Words,
        Meta(
            description="Networks of the proxies in front, such as `10.0.0.0/8`. What they say of the client, in "
            "`X-Forwarded-For` or `Forwarded` and `X-Forwarded-Proto`, counts; what anybody else says does not."
        ),
    ] = ()
    access_control_allow_headers: Annotated[
        str, Meta(description="Sent as `Access-Control-Allow-Headers` with every reply of every dialect.")
    ] = ""
    access_control_allow_methods: Annotated[
        str, Meta(description="Sent as `Access-Control-Allow-Methods` with every reply of every dialect.")
    ] = ""
    access_control_allow_origins: Annotated[
        Words,
        Meta(description="Origins whose pages may read replies, or `*`. Sent as `Access-Control-Allow-Origin`."),
    ] = ()


class BatchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The batch plugin's dialect."""

    shared_secret: Annotated[
        str | None,
        Meta(
            description="A key for clients of the batch plugin, such as the secret they send already, with an editor's "
            "rights. It belongs to the service account `batch-shared-secret`. Without it there is no such key."
        ),
    ] = None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, checked. Paths are absolute."""

    dags: Annotated[Path, Meta(description="The DAG folder.")] = Path("dags")
    host: Annotated[str, Meta(min_length=1, description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0: any that is free.")] = 8080
    database: Annotated[
        str | None,
        Meta(
            description="Where everything is kept: `postgresql://user:password@host/name`, or `sqlite:////path/to.db`. "
            "Without it: SQLite in the data folder."
        ),
    ] = None
    base_path: Annotated[
        str,
        Meta(
            description="What a reverse proxy in front puts before every path, such as `/airgate`. Requests are "
            "answered with it and without it, whether or not the proxy takes it off."
        ),
    ] = ""
    audit_days: Annotated[
        Natural, Meta(description="Days after which entries of the audit log are deleted. 0: they are kept for ever.")
    ] = 400
    data: Annotated[
        Path, Meta(description="The data folder: database, task logs, secret key, and `airgate.toml` if there is one.")
    ] = Path(".airgate")
    python: Annotated[
        Path | None,
        Meta(
            description="Python interpreter that runs DAG code; it has Airflow 3's Task SDK and what your DAGs import. "
            "Without it: the one that runs Airgate."
        ),
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The server's own log. Task logs are complete.")
    ] = "info"
    secret_key: Annotated[
        str | None,
        Meta(
            description="Fernet key that encrypts passwords and values in the database. Without it: one is generated "
            "into the data folder. Keep it with your backups, apart from the database."
        ),
    ] = None
    admin: AdminSettings = AdminSettings()
    engine: EngineSettings = EngineSettings()
    http: HttpSettings = HttpSettings()
    batch: BatchSettings = BatchSettings()

    @property
    def database_url(self) -> str:
        """The database to open."""
        return self.database or f"sqlite:///{self.data / 'airgate.db'}"

    @property
    def interpreter(self) -> Path:
        """The Python that runs DAG code."""
        return self.python or Path(sys.executable)


_SEGMENT: Final = re.compile(r"[A-Za-z0-9._~-]+")
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s*]+|null")
_DATABASE: Final = re.compile(r"(postgresql(\+psycopg)?://|sqlite:///)\S+$")

SECRETS: Final = frozenset({"admin.password", "secret_key", "database", "batch.shared_secret"})
"""Settings whose values are never shown."""

_EXPECTED: Final = {
    "database": "postgresql://user:password@host/name or sqlite:////path/to.db",
    "base_path": "a path of letters, digits, '-', '.', '_' and '~', such as /airgate",
    "batch.shared_secret": "16 characters or more, printable ASCII without spaces, with fewer than two dots",
    "http.trusted_proxies": "networks, such as 10.0.0.0/8 or 2001:db8::/32",
    "http.access_control_allow_origins": "origins, such as https://app.example.com, or * alone",
}
"""Settings of which their type does not say enough."""

WITHOUT_OPTION: Final = frozenset({"admin.password", "secret_key", "batch.shared_secret"})
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

_BY_NAME: Final = {setting.name: setting for setting in TABLE}


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
        Given(name, value, f"option {_BY_NAME[name].option}", folder) for name, value in (options or {}).items()
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
        if name not in _BY_NAME:
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
    close = difflib.get_close_matches(name, _BY_NAME, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _value(given: Given) -> Any:
    """The value, converted to the setting's type. Text counts as numbers and booleans where it came as text."""
    setting = _BY_NAME[given.name]
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


def _assembled(values: Mapping[str, Any], folder: Path) -> Settings:
    tree: dict[str, Any] = {}
    for name, value in values.items():
        group, _, leaf = name.rpartition(".")
        (tree.setdefault(group, {}) if group else tree)[leaf] = value
    groups = {"admin": AdminSettings, "engine": EngineSettings, "http": HttpSettings, "batch": BatchSettings}
    for group, struct in groups.items():
        tree[group] = struct(**tree.get(group, {}))
    settings = Settings(**tree)
    return msgspec.structs.replace(settings, dags=folder / settings.dags, data=folder / settings.data)


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
