"""Secrets are planted, all that can go wrong goes wrong, and nothing that is kept, logged or printed holds one."""

from __future__ import annotations

import base64
import io
import logging
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import structlog
from uuid_utils.compat import uuid7

from airgate.model.webhook import DeliveryState, SigningKey, Target, TargetKind
from airgate.orchestration.mail import MailSettings, SmtpMailer
from airgate.orchestration.outcome import Outcome
from airgate.orchestration.performer import Work
from airgate.orchestration.requests import MASK, Masker, Rendered, Sources
from airgate.store import webhooks
from airgate.store.database import Database
from tests.contract.orchestration.receivers import Receiver, Request, hangs, resets, status
from tests.contract.orchestration.test_mail import Smtp
from tests.contract.orchestration.world import World
from tests.support.clock import Clock

PLAIN = "Pl4nted/secret+&= ä\"'<x>\\end"
HOST = "planted-host.secret.test"
SIGNING = base64.b64encode(b"planted-signing-secret-1").decode()
MAIL = "Pl4nted-mail-password"
FORM = {"content-type": "application/x-www-form-urlencoded"}
STARTS = Target(kind=TargetKind.DAG, deployment="l", dag_id="d")
FORMS = (
    PLAIN, quote(PLAIN), quote(PLAIN, safe=""), quote_plus(PLAIN), base64.b64encode(PLAIN.encode()).decode(), HOST,
    SIGNING, MAIL, "Pl4nted",
)  # fmt: skip


async def _echoes(request: Request, writer: object) -> None:
    text = "\r\n".join((request.line, *(f"{name}: {value}" for name, value in request.headers))).encode("latin-1")
    body = text + b"\r\n" + request.body + base64.b64encode(PLAIN.encode())
    head = (
        f"HTTP/1.1 400 X\r\nx-echo: {dict(request.headers).get('x-plain', '')}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode("latin-1") + body)  # type: ignore[attr-defined]


@pytest.fixture
def logged() -> io.StringIO:
    """Whatever is logged, at every level, with the traces of errors."""
    found = io.StringIO()
    handler = logging.StreamHandler(found)
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.LogfmtRenderer()],
        logger_factory=structlog.PrintLoggerFactory(found),
        cache_logger_on_first_use=False,
    )
    return found


async def test_planted_secret_is_found_nowhere(database: Database, clock: Clock, logged: io.StringIO) -> None:
    smtp = Smtp(None, {"DATA": f"554 {PLAIN.encode('ascii', 'replace').decode()}"})
    async with smtp.served() as mail_port, Receiver(_echoes) as receiver:
        settings = MailSettings(
            host="127.0.0.1", port=mail_port, sender="a@x.test", security="none", user="me", password=MAIL
        )
        world = World(database, clock, mailer=SmtpMailer(settings, clock), resolve=_resolve)
        await world.allow("127.0.0.0/8")
        await world.secret("plain", PLAIN)
        await world.secret("host", HOST)
        base = receiver.url
        hooks = [
            await world.webhook(
                base + "/${{secrets.plain}}?q=${{secrets.plain}}",
                header={
                    "X-Plain": "${{secrets.plain}}", "Authorization": "Basic ${{secrets.plain}}",
                    "X-Token": "t0ken-literal",
                },
                body={"${{secrets.plain}}": ["${{secrets.plain}}"], "text": "a ${{secrets.plain}} b"},
            ),
            await world.webhook(base, header=FORM, body="a=${{secrets.plain}}"),
            await world.webhook("http://${{secrets.host}}/x"),
            await world.webhook("http://10.0.0.1.${{secrets.host}}:1/"),
            await world.webhook("${{secrets.plain}}"),
            await world.webhook("http://${{secrets.plain}}/"),
            await world.webhook(base, header={"${{secrets.plain}}": "x"}),
            await world.webhook(base, header={"x-a": "${{secrets.plain}}\n"}),
            await world.webhook(base, target=Target(kind=TargetKind.SLACK, text="${{secrets.plain}}")),
            await world.webhook(target=Target(kind=TargetKind.EMAIL, to=("b@x.test",), text="${{secrets.plain}}")),
            await world.webhook(target=STARTS, body={"a": "${{secrets.plain}}"}),
        ]  # fmt: skip
        key = SigningKey(id=uuid7(), webhook_id=hooks[0].id, scheme="v1", created_at=clock())
        await database.write(webhooks.add_key, key, "whsec_" + SIGNING)
        async with world.running():
            for answer in (_echoes, status(302, f"location: http://{HOST}/"), resets, hangs):
                receiver.answer = answer
                for hook in hooks:
                    await world.change(hook, timeout=0.2 if answer is hangs else 30.0)
                    (delivery,) = await world.queue(hook)
                    await world.until(delivery, lambda one: one.attempts > 0 or one.state is not DeliveryState.PENDING)
        await world.sender.close()
    kept = [repr(delivery) for delivery in await world.deliveries()]
    attempts = [repr(one) for delivery in await world.deliveries() for one in await world.attempts(delivery)]
    assert len(attempts) >= 16
    assert any(MASK in text for text in attempts)
    assert "t0ken-literal" not in "".join(attempts)
    for text in (*kept, *attempts, logged.getvalue(), repr(settings)):
        assert [form for form in FORMS if form in text] == []


async def _resolve(host: str, _: int) -> list[str]:
    if host == HOST:
        return ["10.1.2.3"]
    raise OSError(f"{host} is not known")


async def test_rows_of_the_database_hold_no_secret(sqlite_database: Database, clock: Clock, tmp_path: Path) -> None:
    world = World(sqlite_database, clock)
    await world.allow("127.0.0.0/8")
    await world.secret("plain", PLAIN)
    async with Receiver(_echoes) as receiver, world.running():
        hook = await world.webhook(receiver.url, body="${{secrets.plain}}", header={"x-plain": "${{secrets.plain}}"})
        await sqlite_database.write(
            webhooks.add_key,
            SigningKey(id=uuid7(), webhook_id=hook.id, scheme="v1", created_at=clock()),
            "whsec_" + SIGNING,
        )
        (delivery,) = await world.queue(hook)
        await world.until(delivery, lambda one: one.attempts == 1)
    await world.sender.close()
    raw = _all_of(tmp_path)
    assert str(hook.url).encode() in raw  # it is looked for where it would be
    assert [form for form in FORMS if form.encode() in raw] == []


def _all_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())


def test_structs_that_hold_secrets_do_not_print_them() -> None:
    rendered = Rendered(method="POST", url=f"http://x/{PLAIN}", headers=(("a", PLAIN),), body=PLAIN.encode())
    sources = Sources(variables={}, secrets={"a": PLAIN})
    outcome = Outcome(sent=True, arrived=False, request=rendered, response_body=PLAIN.encode(), error=PLAIN)
    work = Work(delivery=None, webhook=None, sources=sources, keys=(("v1", SIGNING),))  # type: ignore[arg-type]
    for thing in (rendered, sources, outcome, Masker({"a": PLAIN}), [sources], {"a": rendered}):
        assert "Pl4nted" not in repr(thing) + str(thing)
    assert type(work).__repr__ is not object.__repr__
