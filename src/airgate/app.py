"""The composition root: reads settings, builds the rooms, hands them to each other, and runs the server."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import secrets
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import structlog
import uvicorn
import uvloop
from starlette.types import ASGIApp
from uuid_utils.compat import uuid7

from airgate import __version__
from airgate.access.audit import AuditLog
from airgate.access.preset import preset_batch_key
from airgate.access.recovery import Recovered, recover_administrator
from airgate.access.service import Access, AccessConfig, Created
from airgate.data_folder import secret_key
from airgate.deployments.local.deployment import local_deployment
from airgate.deployments.ports import Deployment, Health
from airgate.engine.service import Engine, EngineConfig
from airgate.engine.watch import Watch
from airgate.http.addresses import Proxies
from airgate.http.cors import Cors
from airgate.http.operations import Services
from airgate.http.protocol import BoundedProtocol
from airgate.http.server import build_app
from airgate.model.errors import AirgateError, NotFound, Unavailable
from airgate.model.run import DagRun
from airgate.model.trigger import TriggerRequest
from airgate.orchestration.mail import MailSettings as SmtpSettings
from airgate.orchestration.mail import NoMailer, SmtpMailer
from airgate.orchestration.ports import Mail, Mailer, MailFailed, MailRefused
from airgate.orchestration.sender import Sender
from airgate.orchestration.service import Around, Orchestration
from airgate.settings import (
    SECRETS,
    TABLE,
    HttpSettings,
    MailSettings,
    Settings,
    SettingsError,
    WebhookSettings,
)
from airgate.store import identities
from airgate.store.database import Database
from airgate.store.run_index import RunIndex
from airgate.triggers.accept import Triggers

log = structlog.get_logger(__name__)

GRACEFUL_SECONDS = 5
"""How long open requests may take once the server is told to stop."""


THREAD_SWITCH_SECONDS = 0.0005
"""How long a thread may keep others waiting. The event loop must not wait five milliseconds, Python's default, each
time the store's writer has begun to work."""


class Announce(Protocol):
    """Told once, when the server answers."""

    def __call__(self, url: str, created: Created | None) -> None:
        """`created` is the first administrator, where this is the first start."""


def now() -> datetime:
    """The present time. The one clock that everything is given."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """A fresh UUIDv7. The one source of ids that everything is given."""
    return uuid7()


def serve(settings: Settings, announce: Announce) -> int:
    """Run the server until it is told to stop (SIGINT, SIGTERM). Returns the process's exit code."""
    _configure_logging(settings.log_level)
    sys.setswitchinterval(THREAD_SWITCH_SECONDS)
    return uvloop.run(_serve(settings, announce))


def recover(settings: Settings, name: str | None, password: str | None) -> Recovered:
    """Let an administrator in again, without a server; see `recover_administrator`.

    Raises:
        SettingsError: the settings name no installation.
        AirgateError: as `recover_administrator`, or the database cannot be opened.
    """
    path = settings.database_url.removeprefix("sqlite:///")
    if path != settings.database_url and not Path(path).is_file():
        raise SettingsError(f"there is no database {path}: name the installation's with --data or --database")
    return asyncio.run(_recover(settings, name, password))


async def _recover(settings: Settings, name: str | None, password: str | None) -> Recovered:
    database = await Database.open(settings.database_url, secret=secret_key(settings))
    try:
        return await recover_administrator(database, name, password=password, clock=now, new_id=new_id)
    finally:
        await database.close()


async def _serve(settings: Settings, announce: Announce) -> int:
    async with AsyncExitStack() as stack:
        listening = stack.enter_context(closing(_bound(settings.host, settings.port)))
        url = _url(settings.host, listening)
        rooms = await build(settings, stack, address=(settings.public_url or url) + settings.base_path)
        listening.listen(2048)
        server = _Server(_uvicorn_config(rooms.app))
        await rooms.engine.load()
        await rooms.orchestration.blocks.load()
        created = await rooms.access.first_administrator(settings.admin.user, settings.admin.password)
        await preset_batch_key(rooms.database, settings.batch.shared_secret, clock=now, new_id=new_id)
        _spare_the_collector()
        _stop_on_signals(server, rooms.engine.scheduler.watch)
        serving = asyncio.create_task(server.serve(sockets=[listening]), name="http")
        await server.answers.wait()
        announce(url=url + settings.base_path, created=created)
        await rooms.engine.start()
        rooms.engine.scheduler.watch.ended = rooms.orchestration.outbox.wake
        await stack.enter_async_context(_meanwhile(rooms.orchestration.run(), "orchestration"))
        await stack.enter_async_context(_meanwhile(_warm(rooms.database, rooms.index), "index of runs"))
        await serving
    return 0


class Rooms:
    """What `build` has put together."""

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        engine: Engine,
        database: Database,
        index: RunIndex,
        orchestration: Orchestration,
    ) -> None:
        self.app = app
        self.orchestration = orchestration
        self.index = index
        self.access = access
        self.engine = engine
        self.database = database


async def build(settings: Settings, stack: AsyncExitStack, *, address: str) -> Rooms:
    """Open the database and build every room. What must be closed again is left with `stack`.

    `address`: of the server, for links.
    """
    key = secret_key(settings)
    database = await Database.open(settings.database_url, secret=key)
    stack.push_async_callback(database.close)
    engine = Engine(database, _engine_config(settings), clock=now, new_id=new_id)
    stack.push_async_callback(engine.stop)
    index = RunIndex()
    local = local_deployment(database, engine, index)
    access = Access(
        database,
        AccessConfig(
            secret=key,
            token_seconds=settings.http.token_seconds,
            cli_token_seconds=settings.http.cli_token_seconds,
            workspaces={local.name: local.workspace},
        ),
        clock=now,
        new_id=new_id,
    )
    audit = AuditLog(database, clock=now, days=settings.audit_days)
    stack.push_async_callback(_kept, audit)
    await stack.enter_async_context(_meanwhile(audit.run(), "audit log"))
    triggers = Triggers(database, clock=now, new_id=new_id)
    orchestration = _orchestration(settings, database, triggers, local, address, engine)
    engine.gatekeeper.guard(orchestration.gate)
    services = Services(
        access=access,
        accounts=access.accounts,
        roles=access.roles,
        tokens=access,
        audit=audit,
        triggers=triggers,
        orchestration=orchestration,
        clock=now,
        secret=sha256(b"airgate http tokens" + key).digest(),
        version=__version__,
        health=_HealthCheck(database, engine),
        deployments={local.name: local},
        default_deployment=local.name,
        base_path=settings.base_path,
        proxies=Proxies([ip_network(network) for network in settings.http.trusted_proxies]),
        config=_shown_config(settings),
        page_limit=settings.http.page_limit,
        max_page_limit=settings.http.max_page_limit,
    )
    app = build_app(
        deployments={local.name: local},
        default=local.name,
        services=services,
        max_body=settings.http.max_body,
        cors=_cors(settings.http),
    )
    return Rooms(app, access, engine, database, index, orchestration)


def _orchestration(
    settings: Settings, database: Database, triggers: Triggers, local: Deployment, address: str, engine: Engine
) -> Orchestration:
    deployments = {local.name: local}
    mailer = _mailer(settings.mail)
    around = Around(
        database=database,
        deployments=deployments,
        embedded=local.name,
        address=address,
        start_run=_StartRun(triggers, deployments),
        mailer=mailer,
        tell_owner=_TellOwner(database, mailer),
        clock=now,
        new_id=new_id,
        random_bytes=os.urandom,
        random_text=secrets.token_urlsafe,
        chance=random.random,
        sender=Sender(tls=_authorities(settings.webhooks)),
        keep_days=settings.webhooks.keep_days,
    )
    return Orchestration(around, blocks_changed=engine.gatekeeper.changed)


class _StartRun:
    """Implements `airgate.orchestration.ports.StartRun`."""

    def __init__(self, triggers: Triggers, deployments: Mapping[str, Deployment]) -> None:
        self._triggers = triggers
        self._deployments = deployments

    async def __call__(self, deployment: str, request: TriggerRequest) -> DagRun:
        found = self._deployments.get(deployment)
        if found is None:
            raise NotFound(f"There is no deployment '{deployment}'", code="deployment_not_found")
        return (await self._triggers.accept(found, request)).run


class _TellOwner:
    """Implements `airgate.orchestration.ports.TellOwner`: by the log, and by mail where an address is known."""

    def __init__(self, database: Database, mailer: Mailer) -> None:
        self._database = database
        self._mailer = mailer

    async def __call__(self, owner: str, subject: str, text: str) -> None:
        log.warning(subject, owner=owner)
        try:
            identity, _ = await self._database.read(identities.by_name, owner)
            if identity.profile.email:
                mail = Mail(to=(identity.profile.email,), subject=subject, text=text, message_id=str(new_id()))
                await self._mailer.send(mail)
        except (AirgateError, MailFailed, MailRefused) as error:
            log.info("The owner could not be told by mail", owner=owner, reason=str(error))


def _mailer(mail: MailSettings) -> Mailer:
    if mail.host is None:
        return NoMailer()
    chosen = SmtpSettings(
        host=mail.host,
        port=mail.port,
        sender=mail.sender,
        security=mail.security,
        user=mail.user,
        password=mail.password,
    )
    return SmtpMailer(chosen, now)


def _authorities(webhooks: WebhookSettings) -> ssl.SSLContext:
    """Raises SettingsError where the file of further authorities cannot be read."""
    context = ssl.create_default_context()
    if webhooks.authorities is not None:
        try:
            context.load_verify_locations(webhooks.authorities)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"webhooks.authorities: {webhooks.authorities} holds no certificates that can be read: {error}"
            ) from error
    return context


@asynccontextmanager
async def _meanwhile(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """Let something be done beside the server, until it stops."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _kept(audit: AuditLog) -> None:
    """Store what still waits in the audit log."""
    with suppress(Unavailable):
        await audit.flush()


async def _warm(database: Database, index: RunIndex) -> None:
    """Read the index of long lists, part by part. Where the database is away, the first list will do it."""
    with suppress(Unavailable):
        while await database.read_apart(index.prepare, "seq"):
            pass


def _cors(http: HttpSettings) -> Cors | None:
    chosen = (http.access_control_allow_headers, http.access_control_allow_methods, http.access_control_allow_origins)
    return Cors(headers=chosen[0], methods=chosen[1], origins=chosen[2]) if any(chosen) else None


class _HealthCheck:
    """How the embedded deployment is."""

    def __init__(self, database: Database, engine: Engine) -> None:
        self._database = database
        self._engine = engine

    async def __call__(self, deployment: Deployment) -> Health:
        beat = now().isoformat()
        read = self._engine.folder.last_read
        return Health(
            store=await self._store_answers(),
            scheduler=True,
            scheduler_heartbeat=beat,
            dag_processor=self._engine.failure is None,
            dag_processor_heartbeat=read.isoformat() if read else beat,
        )

    async def _store_answers(self) -> bool:
        if not self._database.healthy:
            return False
        try:
            await self._database.read(lambda tx: None)
        except Unavailable:
            return False
        return True


def _shown_config(settings: Settings) -> dict[str, dict[str, str]]:
    """Settings as dialects show them: under Airflow's names where it has one, all of ours besides, never a secret."""
    ours = {row.name: str(_value_of(settings, row.name)) for row in TABLE if row.name not in SECRETS}
    return {
        "core": {
            "dags_folder": str(settings.dags),
            "parallelism": str(settings.engine.parallelism),
            "dags_are_paused_at_creation": str(settings.engine.dags_paused_at_creation),
            "dagbag_import_timeout": str(settings.engine.import_timeout),
            "killed_task_cleanup_time": str(settings.engine.kill_grace),
        },
        "api": {
            "maximum_page_limit": str(settings.http.max_page_limit),
            "fallback_page_limit": str(settings.http.page_limit),
            "host": settings.host,
        },
        "airgate": ours,
    }


def _value_of(settings: Settings, name: str) -> object:
    value: object = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _engine_config(settings: Settings) -> EngineConfig:
    return EngineConfig(
        dags=settings.dags,
        data=settings.data,
        python=str(settings.interpreter),
        isolation=settings.engine.isolation,
        reuse_limit=settings.engine.reuse_limit,
        parallelism=settings.engine.parallelism,
        spares=settings.engine.spares,
        warm_files=settings.engine.warm_files,
        nice=settings.engine.nice,
        import_timeout=settings.engine.import_timeout,
        kill_grace=settings.engine.kill_grace,
        dags_paused_at_creation=settings.engine.dags_paused_at_creation,
    )


class _Server(uvicorn.Server):
    """Uvicorn, telling when it answers, leaving signals to us, and waking once a second instead of ten times."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answers = asyncio.Event()
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Take no more requests, and let `serve` return."""
        self.should_exit = True
        self._stopped.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn."""
        await super().startup(sockets)
        self.answers.set()

    async def main_loop(self) -> None:
        """Called by uvicorn: renew the Date header every second until told to stop."""
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._stopped.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Called by uvicorn. Signals are the composition root's: what runs is stopped before the process ends."""
        yield


def _uvicorn_config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="none",
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        timeout_keep_alive=75,
    )


def _spare_the_collector() -> None:
    """What has been imported and built stays: a garbage collection that looks at all of it again stops the server."""
    gc.collect()
    gc.freeze()


def _stop_on_signals(server: _Server, watch: Watch) -> None:
    def stop() -> None:
        watch.close()  # whoever waits for the end of a run is answered at once
        server.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.setblocking(False)
    return listening


def _url(host: str, listening: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}"


def _configure_logging(level: str) -> None:
    """Everything goes through the standard library's handlers: a log that cannot be written fails nobody's request."""
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.raiseExceptions = False
    logging.basicConfig(level=number, format="%(message)s")
    for chatty in ("uvicorn", "watchfiles", "alembic", "httpx"):
        logging.getLogger(chatty).setLevel(max(number, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
