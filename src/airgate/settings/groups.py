"""The settings by group, each with its type, default and help."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Natural = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]
Words = tuple[str, ...]
"""Several values: a list in the file, elsewhere a text with commas or spaces between them."""


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


class MailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The mail server."""

    host: Annotated[
        str | None,
        Meta(description="Mail server (SMTP) that alerts by e-mail go through. Without it none are sent."),
    ] = None
    port: Annotated[int, Meta(ge=1, le=65535, description="Its port.")] = 587
    sender: Annotated[
        str, Meta(min_length=1, description="Address that mail comes from, such as `Airgate <airgate@example.com>`.")
    ] = "Airgate <airgate@localhost>"
    security: Annotated[
        Literal["starttls", "tls", "none"],
        Meta(
            description="How the connection is encrypted: `starttls` after it is made (port 587), `tls` from the "
            "start (port 465), or not at all."
        ),
    ] = "starttls"
    user: Annotated[str | None, Meta(description="Name to sign in with. Without it nobody signs in.")] = None
    password: Annotated[str | None, Meta(description="Password to sign in with.")] = None


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Webhooks that leave."""

    keep_days: Annotated[
        Natural,
        Meta(
            description="Days after which deliveries that have ended are deleted, with their attempts and the "
            "executions they were made of. 0: they are kept for ever."
        ),
    ] = 30
    authorities: Annotated[
        Path | None,
        Meta(
            description="PEM file with certificates of further authorities that targets may have theirs from, such as "
            "your company's. Those of the system count always; `SSL_CERT_FILE` replaces them."
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
    public_url: Annotated[
        str | None,
        Meta(
            description="Where people reach this server, such as `https://airgate.example.com`, for links in webhooks "
            "and mail; the base path follows it. Without it: host and port."
        ),
    ] = None
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
    mail: MailSettings = MailSettings()
    webhooks: WebhookSettings = WebhookSettings()

    @property
    def database_url(self) -> str:
        """The database to open."""
        return self.database or f"sqlite:///{self.data / 'airgate.db'}"

    @property
    def interpreter(self) -> Path:
        """The Python that runs DAG code."""
        return self.python or Path(sys.executable)
