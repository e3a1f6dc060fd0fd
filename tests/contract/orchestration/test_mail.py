"""Mail, handed to a real SMTP server of the test's own."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from airgate.orchestration.mail import MailSettings, NoMailer, SmtpMailer
from airgate.orchestration.ports import Mail, MailFailed, MailRefused
from tests.contract.orchestration.receivers import authority
from tests.support.clock import Clock

MAIL = Mail(to=("a@x.test", "b@x.test"), subject="DAG d failed", text="Rows: 5\n.\nÄnde", message_id="id-1")


class Smtp:
    """As much of a mail server as it takes. `answers`: by command or recipient, where it says something else."""

    def __init__(self, tls: ssl.SSLContext | None = None, answers: dict[str, str] | None = None) -> None:
        self.messages: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.logins: list[str] = []
        self.secured = False
        self._tls = tls
        self._answers = answers or {}
        self._at_once = False

    @asynccontextmanager
    async def served(self, *, at_once: bool = False) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls if at_once else None)
        self.secured = self._at_once = at_once
        yield server.sockets[0].getsockname()[1]
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
            await self._converse(reader, writer)
        writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        secured = self._at_once
        writer.write(self._answers.get("greeting", "220 mail.test ESMTP").encode() + b"\r\n")
        while line := (await reader.readline()).decode().strip():
            verb = line.split()[0].upper()
            if verb == "STARTTLS":
                writer.write(b"220 go\r\n")
                assert self._tls is not None
                await writer.start_tls(self._tls)
                self.secured = secured = True
                continue
            writer.write((self._answers.get(verb) or self._said(verb, line, secured=secured)).encode() + b"\r\n")
            if verb == "DATA" and verb not in self._answers:
                text = await reader.readuntil(b"\r\n.\r\n")
                self.messages.append(message_from_bytes(text[:-3].replace(b"\r\n..", b"\r\n."), policy=policy.default))
                writer.write(b"250 queued as 77\r\n")
            if verb == "QUIT":
                break

    def _said(self, verb: str, line: str, *, secured: bool) -> str:
        match verb:
            case "EHLO":
                offers = ["mail.test", *(["STARTTLS"] if self._tls and not secured else []), "AUTH PLAIN", "8BITMIME"]
                return "\r\n".join(f"250{' ' if offer == offers[-1] else '-'}{offer}" for offer in offers)
            case "AUTH":
                self.logins.append(base64.b64decode(line.split()[2]).decode())
                return "235 welcome" if self.logins[-1] == "\0me\0s3cret" else "535 no such user"
            case "RCPT":
                address = line[line.index("<") + 1 : line.index(">")]
                self.recipients.append(address)
                return self._answers.get(address, "250 fine")
            case "DATA":
                return "354 go on"
            case _:
                return "250 fine"


def mailer(port: int, clock: Clock, client: ssl.SSLContext | None = None, **more: Any) -> SmtpMailer:
    values: dict[str, Any] = {"host": "127.0.0.1", "port": port, "sender": "airgate@x.test", "security": "none"}
    return SmtpMailer(MailSettings(**(values | more)), clock, client)


async def test_message_is_handed_over_as_it_is(clock: Clock) -> None:
    server = Smtp()
    async with server.served() as port:
        assert "queued as 77" in await mailer(port, clock).send(MAIL)
    (message,) = server.messages
    assert (message["From"], message["To"], message["Subject"]) == (
        "airgate@x.test",
        "a@x.test, b@x.test",
        MAIL.subject,
    )
    assert (message["Message-ID"], message["Auto-Submitted"]) == ("<id-1@airgate>", "auto-generated")
    assert message["Date"].datetime == clock()
    assert message.get_content().replace("\r\n", "\n") == "Rows: 5\n.\nÄnde\n"
    assert server.recipients == ["a@x.test", "b@x.test"]


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_message_and_password_are_sent_under_tls_alone(clock: Clock, tmp_path: Path, security: str) -> None:
    ours = authority(tmp_path, "127.0.0.1")
    server = Smtp(ours.server)
    async with server.served(at_once=security == "tls") as port:
        await mailer(port, clock, ours.client, security=security, user="me", password="s3cret").send(MAIL)
        assert (server.secured, server.logins, len(server.messages)) == (True, ["\0me\0s3cret"], 1)
        with pytest.raises(MailFailed, match="ertificate"):
            await mailer(port, clock, security=security, user="me", password="s3cret").send(MAIL)
    assert len(server.messages) == 1


async def test_server_that_offers_no_tls_is_told_nothing_where_it_is_wanted(clock: Clock) -> None:
    server = Smtp()
    async with server.served() as port:
        with pytest.raises(MailFailed):
            await mailer(port, clock, security="starttls", user="me", password="s3cret").send(MAIL)
    assert (server.logins, server.messages) == ([], [])


async def test_wrong_password_may_be_put_right(clock: Clock) -> None:
    async with Smtp().served() as port:
        with pytest.raises(MailFailed) as failed:
            await mailer(port, clock, user="me", password="wr0ng").send(MAIL)
    assert "wr0ng" not in str(failed.value)


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"greeting": "421 too busy"}, MailFailed),
        ({"greeting": "554 go away"}, MailFailed),
        ({"MAIL": "451 later"}, MailFailed),
        ({"MAIL": "550 not you"}, MailRefused),
        ({"a@x.test": "550 nobody", "b@x.test": "551 nobody"}, MailRefused),
        ({"a@x.test": "450 full", "b@x.test": "551 nobody"}, MailFailed),
        ({"DATA": "452 full"}, MailFailed),
        ({"DATA": "554 spam"}, MailRefused),
        ({"greeting": "garbage"}, MailFailed),
    ],
)
async def test_refusal_for_good_is_told_from_one_for_now(
    clock: Clock, answers: dict[str, str], error: type[Exception]
) -> None:
    async with Smtp(None, answers).served() as port:
        with pytest.raises(error):
            await mailer(port, clock).send(MAIL)


async def test_message_that_one_of_several_will_not_have_counts_as_taken(clock: Clock) -> None:
    server = Smtp(None, {"a@x.test": "550 nobody"})
    async with server.served() as port:
        said = await mailer(port, clock).send(MAIL)
    assert "a@x.test was refused" in said
    assert len(server.messages) == 1


async def test_server_that_is_not_there_may_come_back(clock: Clock) -> None:
    async with Smtp().served() as port:
        pass
    with pytest.raises(MailFailed):
        await mailer(port, clock).send(MAIL)
    with pytest.raises(MailFailed, match=r"mail\.host"):
        await NoMailer().send(MAIL)


@pytest.mark.parametrize("more", [{"to": ("a@x.test\r\nBcc: c@x.test",)}, {"subject": "a\r\nBcc: c@x.test"}])
async def test_lines_cannot_be_smuggled_into_the_head(clock: Clock, more: dict[str, Any]) -> None:
    server = Smtp()
    values: dict[str, Any] = {"to": ("a@x.test",), "subject": "s", "text": "t", "message_id": "i"}
    async with server.served() as port:
        with pytest.raises(MailRefused):
            await mailer(port, clock).send(Mail(**(values | more)))
    assert server.messages == []
