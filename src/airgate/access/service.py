"""Who is asking, and the keeping of identities and their tokens."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from airgate.access.cache import VerifiedCredentials
from airgate.access.credentials import Key, Login, digest, looks_like_token, parse
from airgate.access.passwords import Passwords
from airgate.access.throttle import Throttle
from airgate.model.errors import InvalidInput, NotFound
from airgate.model.identity import ApiToken, Identity, Role
from airgate.store import identities
from airgate.store.database import Database, Tx

REMEMBERED_SECONDS: Final = 60.0
"""How long a verified credential counts unasked. A change made by another process counts after that at the latest."""

LONGEST_NAME: Final = 64
LONGEST_PASSWORD: Final = 1024
_TOUCH_AFTER: Final = timedelta(seconds=60)
_LETTERS: Final = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without the letters and digits that look alike."""


class Created(msgspec.Struct, frozen=True):
    """The first administrator. This is the only time that password and token can be shown."""

    user: str
    password: str | None
    """None where it was preset, and therefore is known."""
    token: str


class IssuedToken(msgspec.Struct, frozen=True):
    """A new token with its secret, which is not kept."""

    token: ApiToken
    secret: str


class Access:
    """Authenticates callers and keeps identities.

    Obligations (each has a test):
      * a credential that was verified within the last minute costs microseconds;
      * neither names that exist can be told from others, nor passwords be guessed fast;
      * what is revoked or changed through this object counts at once.

    Args:
        database: where identities are kept.
        clock: the present time, aware.
        new_id: fresh UUIDv7s.
        passwords: hashes passwords; the default is right but in tests, which want it cheap.
        steady: a clock that never goes back, in seconds.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
        passwords: Passwords | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._passwords = passwords or Passwords()
        self._steady = steady
        self._verified = VerifiedCredentials(secrets.token_bytes(32), REMEMBERED_SECONDS, steady)
        self._throttle = Throttle()
        self._checks: dict[bytes, asyncio.Task[Identity | None]] = {}

    async def authenticate(self, authorization: str | None) -> Identity | None:
        """Whose credential the Authorization header carries.

        None means: none, or one that proves nothing, or a password for a name that is being guessed at, which is not
        looked at for a while (at most 30 seconds).

        Raises:
            Unavailable: the store cannot be asked, or too many sign in at once.
        """
        if not authorization:
            return None
        mark = self._verified.digest(authorization)
        known = self._verified.get(mark)
        if known is not None:
            return known
        credential = parse(authorization)
        if credential is None:
            return None
        check = self._checks.get(mark)
        if check is None:
            check = self._checks[mark] = asyncio.create_task(self._check(mark, credential))
            check.add_done_callback(lambda _: self._checks.pop(mark, None))
        return await asyncio.shield(check)

    async def _check(self, mark: bytes, credential: Login | Key) -> Identity | None:
        generation = self._verified.generation
        secret = credential.secret if isinstance(credential, Key) else credential.password
        if isinstance(credential, Key) or looks_like_token(secret):
            found = await self._database.read(identities.token, digest(secret))
            if found is not None and _may_use(credential, found[0]):
                identity, token = found
                self._verified.put(mark, identity, token.id, generation)
                self._touch(token)
                return identity
        if isinstance(credential, Key):
            return None
        by_password = await self._by_password(credential)
        if by_password is not None:
            self._verified.put(mark, by_password, None, generation)
        return by_password

    async def _by_password(self, login: Login) -> Identity | None:
        if self._throttle.delay(login.name, self._steady()) > 0:
            return None
        identity, kept = await self._database.read(_by_name, login.name)
        if await self._passwords.verify(kept, login.password) and identity is not None:
            self._throttle.right(login.name)
            return identity
        self._throttle.wrong(login.name, self._steady())
        return None

    def _touch(self, token: ApiToken) -> None:
        """Note the use of a token, now and then. That it could not be noted is nobody's failure."""
        now = self._clock()
        if token.last_used_at is None or now - token.last_used_at >= _TOUCH_AFTER:
            self._database.write(identities.touch_token, token.id, now).add_done_callback(_ignore)

    async def create_identity(self, name: str, role: Role, password: str | None = None) -> Identity:
        """Create a person (with a password) or a machine (without one, for tokens only).

        Raises:
            Conflict: the name is taken.
            InvalidInput: a name or password nobody could use (code ``identity_name`` or ``password``).
        """
        identity = self._draft(name, role)
        kept = None if password is None else await self._hash(password)
        await self._database.write(identities.create, identity, kept)
        return identity

    async def delete_identity(self, identity_id: UUID) -> None:
        """Delete an identity and its tokens; its credentials count no more. Raises NotFound."""
        await self._database.write(identities.delete, identity_id)
        self._verified.forget(identity_id=identity_id)

    async def set_password(self, identity_id: UUID, password: str) -> None:
        """Replace the password; the old one counts no more. Raises NotFound, InvalidInput."""
        kept = await self._hash(password)
        await self._database.write(identities.set_password, identity_id, kept)
        self._verified.forget(identity_id=identity_id)

    async def issue_token(self, identity_id: UUID, label: str) -> IssuedToken:
        """Issue a token: 32 lowercase hexadecimal digits, shown now and never again. Raises NotFound."""
        issued = self._token(identity_id, label)
        await self._database.write(identities.add_token, issued.token)
        return issued

    async def revoke_token(self, token_id: UUID) -> None:
        """Revoke a token; it counts no more. Raises NotFound."""
        await self._database.write(identities.delete_token, token_id)
        self._verified.forget(token_id=token_id)

    async def first_administrator(self, user: str, password: str | None = None) -> Created | None:
        """Create the administrator of a new installation, with a token; None if there is any identity already.

        Without a password one is made up. Of several processes starting on one new store, one creates.
        """
        if await self._database.read(identities.count) > 0:
            return None
        chosen = password if password is not None else "".join(secrets.choice(_LETTERS) for _ in range(20))
        identity = self._draft(user, Role.ADMIN)
        issued = self._token(identity.id, "made at the first start")
        first = await self._database.write(_create_first, identity, await self._hash(chosen), issued.token)
        if not first:
            return None
        return Created(user=user, password=None if password is not None else chosen, token=issued.secret)

    def _draft(self, name: str, role: Role) -> Identity:
        if not 0 < len(name) <= LONGEST_NAME or ":" in name or not name.isprintable() or name != name.strip():
            raise InvalidInput(
                f"A user name has 1 to {LONGEST_NAME} printable characters and no colon.", code="identity_name"
            )
        return Identity(id=self._new_id(), name=name, role=role, created_at=self._clock())

    def _token(self, identity_id: UUID, label: str) -> IssuedToken:
        secret = secrets.token_hex(16)
        token = ApiToken(
            id=self._new_id(), identity_id=identity_id, digest=digest(secret), label=label, created_at=self._clock()
        )
        return IssuedToken(token=token, secret=secret)

    async def _hash(self, password: str) -> str:
        if not 0 < len(password) <= LONGEST_PASSWORD:
            raise InvalidInput(f"A password has 1 to {LONGEST_PASSWORD} characters.", code="password")
        return await self._passwords.hash(password)


def _may_use(credential: Login | Key, owner: Identity) -> bool:
    """A token sent as a password counts for its owner's name only."""
    return isinstance(credential, Key) or credential.name == owner.name


def _by_name(tx: Tx, name: str) -> tuple[Identity | None, str | None]:
    try:
        return identities.by_name(tx, name)
    except NotFound:
        return None, None


def _create_first(tx: Tx, identity: Identity, password_hash: str, token: ApiToken) -> bool:
    if identities.count(tx) > 0:
        return False
    identities.create(tx, identity, password_hash)
    identities.add_token(tx, token)
    return True


def _ignore(done: asyncio.Future[None]) -> None:
    if not done.cancelled():
        done.exception()
