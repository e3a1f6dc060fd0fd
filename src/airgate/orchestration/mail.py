"""Mail by SMTP."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Literal

import aiosmtplib
import msgspec

from airgate.orchestration.ports import Mail, MailFailed, MailRefused

_SECONDS = 30.0


class MailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach a mail server."""

    host: str
    port: int
    sender: str
    security: Literal["none", "starttls", "tls"] = "starttls"
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"MailSettings({self.host}:{self.port}, {self.security})"


class SmtpMailer:
    """Implements `airgate.orchestration.ports.Mailer`. Every message has a connection of its own.

    A message that some of several addressees will not have counts as taken: sent again, the others would have it twice.

    Args:
        settings: how to reach the server.
        clock: the present time, aware.
        tls: how its certificate is checked; by the system's authorities where it is None.
    """

    def __init__(
        self, settings: MailSettings, clock: Callable[[], datetime], tls: ssl.SSLContext | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._tls = tls

    async def send(self, mail: Mail) -> str:
        """See the port."""
        settings = self._settings
        try:
            refused, said = await aiosmtplib.send(
                self._message(mail),
                recipients=list(mail.to),
                hostname=settings.host,
                port=settings.port,
                use_tls=settings.security == "tls",
                start_tls=settings.security == "starttls",
                username=settings.user,
                password=settings.password,
                tls_context=self._tls,
                timeout=_SECONDS,
            )
        except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as error:
            raise (MailRefused if _is_final(error) else MailFailed)(_words(error)) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailFailed(_words(error)) from error
        except ValueError as error:
            raise MailRefused(f"the message cannot be written: {error}") from error
        return "; ".join([said, *(f"{address} was refused: {why}" for address, why in refused.items())])

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._settings.sender
        message["To"] = ", ".join(mail.to)
        message["Subject"] = mail.subject
        message["Date"] = format_datetime(self._clock())
        message["Message-ID"] = f"<{mail.message_id}@airgate>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        return message


class NoMailer:
    """Stands where no mail server is configured."""

    async def send(self, mail: Mail) -> str:
        """See the port."""
        raise MailFailed("no mail server is configured (setting mail.host)")


def _is_final(error: aiosmtplib.SMTPException) -> bool:
    """Whether the server said it for good (5xx)."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return all(refused.code >= 500 for refused in error.recipients)
    return isinstance(error, aiosmtplib.SMTPResponseException) and error.code >= 500


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error) or 'no reason given'}"
