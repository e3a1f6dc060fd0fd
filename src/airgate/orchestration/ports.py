"""What this room needs of others. The composition root provides it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from airgate.model.run import DagRun
from airgate.model.trigger import TriggerRequest


class StartRun(Protocol):
    """Starts runs of any deployment, durably and once per idempotency key."""

    async def __call__(self, deployment: str, request: TriggerRequest) -> DagRun:
        """The run of this request, made now or before.

        Raises:
            NotFound: there is no such deployment or DAG.
            InvalidInput, Conflict: the request will never be accepted.
            Unavailable: later it may be.
        """


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """A message of plain text."""

    to: tuple[str, ...]
    subject: str
    text: str
    message_id: str


class Mailer(Protocol):
    """Sends mail."""

    async def send(self, mail: Mail) -> str:
        """Hand a message to the mail server; gives what it said.

        Raises:
            MailRefused: it will never take this message.
            MailFailed: later it may, or there is none.
        """


class MailFailed(Exception):
    """A message was not taken now."""


class MailRefused(Exception):
    """A message will never be taken."""


class TellOwner(Protocol):
    """Tells whoever made a webhook what became of it."""

    async def __call__(self, owner: str, subject: str, text: str) -> None:
        """Never raises; somebody who cannot be reached is told by the log alone."""
