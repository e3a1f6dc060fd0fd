"""Who is asking: credentials of every form, and signing in."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

import msgspec

from airgate.access import networks
from airgate.access.accounts import AccountKeeper
from airgate.access.cache import Known, VerifiedCredentials
from airgate.access.credentials import Key, Login, digest, looks_like_token, parse
from airgate.access.decisions import Caller
from airgate.access.forms import LONGEST_NAME, LONGEST_PASSWORD, check_name, check_password
from airgate.access.passwords import Passwords
from airgate.access.permissions import Permission
from airgate.access.rates import Buckets, Standing
from airgate.access.roles import RoleKeeper, permissions_of
from airgate.access.throttle import Throttle
from airgate.access.tokens import Claims, WebTokens, looks_like_web_token
from airgate.model.errors import Conflict, NotAuthenticated, NotFound, PermissionDenied, RateLimited
from airgate.model.identity import ApiKey, Identity, Role
from airgate.store import identities
from airgate.store.database import Database, Tx

REMEMBERED_SECONDS: Final = 60.0
"""How long a verified credential counts unasked. A change made by another process counts after that at the latest."""
FREE_KEYS: Final = 20
"""Different unknown keys in a row from one address that cost nothing."""

_TOUCH_AFTER: Final = timedelta(seconds=60)
_UNKNOWN_REMEMBERED: Final = 10_000
_LETTERS: Final = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without the letters and digits that look alike."""


class Created(msgspec.Struct, frozen=True):
    """The first administrator. This is the only time that password and token can be shown."""

    user: str
    password: str | None
    """None where it was preset, and therefore is known."""
    token: str


class AccessConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is set for authentication."""

    secret: bytes
    """What only servers of this installation know; tokens are signed with a key made of it."""
    token_seconds: float = 86_400.0
    """How long a token counts."""
    cli_token_seconds: float = 3_600.0
    """How long one counts that was asked for by a command line."""
    workspaces: Mapping[str, str] = {}
    """The workspace of each deployment, by name."""


class Access:
    """Authenticates callers. `accounts` and `roles` keep who and what it knows.

    Obligations (each has a test):
      * a credential that was verified within the last minute costs microseconds;
      * neither names that exist can be told from others, nor passwords or keys be guessed fast;
      * what is revoked or changed through this object counts at once; expiry and networks count at every request.

    Args:
        database: where identities are kept.
        config: what is set for it.
        clock: the present time, aware.
        new_id: fresh UUIDv7s.
        passwords: hashes passwords; the default is right but in tests, which want it cheap.
        steady: a clock that never goes back, in seconds.
    """

    def __init__(
        self,
        database: Database,
        config: AccessConfig,
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
        self._names = Throttle()
        self._addresses = Throttle(FREE_KEYS)
        self._unknown: dict[bytes, None] = {}
        self._buckets = Buckets()
        self._checks: dict[bytes, asyncio.Task[Known | None]] = {}
        self._config = config
        self._tokens = WebTokens(hmac.digest(config.secret, b"airgate sign-in tokens", sha256))
        self.roles = RoleKeeper(database, clock=clock, changed=self._verified.forget_all)
        self.accounts = AccountKeeper(
            database,
            clock=clock,
            new_id=new_id,
            passwords=self._passwords,
            forget=self._verified.forget,
            workspaces=config.workspaces,
        )

    # --------------------------------------------------------------------------------------------------- every request

    async def authenticate(self, authorization: str | None, address: str | None = None) -> Caller | None:
        """Who sends this ``Authorization`` header from this address.

        None means: no credential, or one that proves nothing, or a password for a name that is being guessed at, which
        is not looked at for a while (at most 30 seconds).

        Raises:
            PermissionDenied: (code ``network``) a known identity, but not from this address.
            RateLimited: (code ``guesses``) too many unknown keys came from this address, and this one is not known yet.
            Unavailable: the store cannot be asked, or too many sign in at once.
        """
        if not authorization:
            return None
        mark = self._verified.digest(authorization)
        known = self._verified.get(mark)
        if known is None:
            credential = parse(authorization)
            known = None if credential is None else await self._verify(mark, credential, address)
        return None if known is None else self._let_in(known, address)

    def admit(self, caller: Caller) -> Standing | None:
        """Count a request against the caller's rate limit, and say how it stands; None: it has no limit."""
        limit = caller.identity.limits.rate
        return None if limit is None else self._buckets.take(caller.identity.id, limit, self._steady())

    def _let_in(self, known: Known, address: str | None) -> Caller | None:
        if known.until is not None and self._clock() >= known.until:
            return None
        if known.networks and not networks.includes(known.networks, address):
            raise PermissionDenied(
                f"'{known.caller.name}' may not be used from {address or 'an unknown address'}.", code="network"
            )
        return known.caller

    # ----------------------------------------------------------------------------------------------------- verification

    async def _verify(self, mark: bytes, credential: Login | Key, address: str | None) -> Known | None:
        """Verify once, however many ask at the same time; one that goes away disturbs no other."""
        if isinstance(credential, Key):
            if mark in self._unknown:
                return None
            self._slow_down(address)
        check = self._checks.get(mark)
        if check is None:
            check = self._checks[mark] = asyncio.create_task(self._check(mark, credential, address))
            check.add_done_callback(lambda _: self._checks.pop(mark, None))
        return await asyncio.shield(check)

    async def _check(self, mark: bytes, credential: Login | Key, address: str | None) -> Known | None:
        generation = self._verified.generation
        if isinstance(credential, Login):
            known = await self._by_login(credential)
        else:
            known = await self._by_secret(credential.secret, mark, address)
        if known is not None:
            self._verified.put(mark, known, generation)
        return known

    async def _by_login(self, login: Login) -> Known | None:
        if looks_like_token(login.password):
            found = await self._database.read(_by_key, digest(login.password))
            if found is not None and found.identity.name == login.name:
                return self._known(found)
        now = self._steady()
        if len(login.name) > LONGEST_NAME:
            return None  # nobody has such a name, and memory for guesses is not given to it
        if self._names.delay(login.name, now) > 0:
            return None
        person = await self._database.read(_by_name, login.name)
        if await self._passwords.verify(person.password_hash if person else None, login.password) and person:
            self._names.right(login.name)
            return self._known(person)
        self._names.wrong(login.name, now)
        return None

    async def _by_secret(self, secret: str, mark: bytes, address: str | None) -> Known | None:
        if looks_like_web_token(secret):
            claims = self._tokens.read(secret)
            if claims is not None:
                return await self._by_claims(claims)
        else:
            found = await self._database.read(_by_key, digest(secret))
            if found is not None:
                return self._known(found)
        self._remember_unknown(mark, address)
        return None

    async def _by_claims(self, claims: Claims) -> Known | None:
        found = await self._database.read(_by_id, claims.sub, claims.key)
        if found is None or found.identity.generation != claims.gen:
            return None
        return self._known(found, claims.ends)

    def _known(self, found: _Found, ends: datetime | None = None) -> Known | None:
        """What remains of a proven credential once its times are looked at; its use is noted."""
        identity, key = found.identity, found.key
        if not identity.active:
            return None
        if key is not None:
            self._touch(key)
        times = (ends, identity.limits.expires_at, key.expires_at if key else None)
        return Known(
            caller=Caller(
                identity=identity,
                permissions=found.permissions,
                key_id=key.id if key else None,
                batch=key.batch if key else False,
            ),
            until=min((time for time in times if time is not None), default=None),
            networks=tuple(map(networks.parse, identity.limits.networks)),
        )

    def _touch(self, key: ApiKey) -> None:
        """Note the use of a key, now and then. That it could not be noted is nobody's failure."""
        now = self._clock()
        if key.last_used_at is None or now - key.last_used_at >= _TOUCH_AFTER:
            self._database.write(identities.touch_key, key.id, now).add_done_callback(_ignore)

    # --------------------------------------------------------------------------------------------------------- guessing

    def _slow_down(self, address: str | None) -> None:
        delay = 0.0 if address is None else self._addresses.delay(networks.neighbourhood(address), self._steady())
        if delay > 0:
            raise RateLimited(
                f"Too many unknown keys came from {address}; keys that were not used in the last minute are looked at "
                "again in a moment.",
                code="guesses",
                retry_after=delay,
            )

    def _remember_unknown(self, mark: bytes, address: str | None) -> None:
        """An unknown key stays unknown. Sent again and again it is no guess but a mistake, and delays nobody else."""
        self._unknown[mark] = None
        if len(self._unknown) > _UNKNOWN_REMEMBERED:
            del self._unknown[next(iter(self._unknown))]
        if address is not None:
            self._addresses.wrong(networks.neighbourhood(address), self._steady())

    # ------------------------------------------------------------------------------------------------------- signing in

    async def sign_in(self, name: str, secret: str, address: str | None = None, *, cli: bool = False) -> str:
        """A token; see `airgate.access.ports.Tokens`."""
        if not 0 < len(name) <= LONGEST_NAME or "\0" in name or len(secret) > LONGEST_PASSWORD:
            raise NotAuthenticated("Invalid credentials")
        mark = self._verified.digest(f"sign-in\0{name}\0{secret}")
        known = self._verified.get(mark) or await self._verify(mark, Login(name, secret), address)
        caller = None if known is None else self._let_in(known, address)
        if known is None or caller is None:
            raise NotAuthenticated("Invalid credentials")
        now = self._clock()
        ends = now + timedelta(seconds=self._config.cli_token_seconds if cli else self._config.token_seconds)
        return self._tokens.issue(
            caller.identity, key_id=caller.key_id, now=now, ends=min(ends, known.until) if known.until else ends
        )

    async def first_administrator(self, user: str, password: str | None = None) -> Created | None:
        """Create the administrator of a new installation, with a key; None if there is any identity already.

        Without a password one is made up. Of several processes starting on one new store, one creates.
        """
        if await self._database.read(identities.count) > 0:
            return None
        chosen = password if password is not None else "".join(secrets.choice(_LETTERS) for _ in range(20))
        check_name(user)
        check_password(chosen)
        now = self._clock()
        identity = Identity(id=self._new_id(), name=user, roles=(Role.ADMIN.value,), created_at=now)
        secret = secrets.token_hex(16)
        key = ApiKey(
            id=self._new_id(),
            identity_id=identity.id,
            digest=digest(secret),
            label="made at the first start",
            created_at=now,
        )
        try:
            first = await self._database.write(_create_first, identity, await self._passwords.hash(chosen), key)
        except Conflict:
            return None  # another process was first, in this very moment
        if not first:
            return None
        return Created(user=user, password=None if password is not None else chosen, token=secret)


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the store knows of whom a credential names."""

    identity: Identity
    permissions: frozenset[Permission]
    key: ApiKey | None = None
    password_hash: str | None = None


def _by_key(tx: Tx, digest: bytes) -> _Found | None:
    found = identities.by_key(tx, digest)
    if found is None or not hmac.compare_digest(found[1].digest, digest):
        return None
    return _Found(identity=found[0], permissions=permissions_of(tx, found[0].roles), key=found[1])


def _by_name(tx: Tx, name: str) -> _Found | None:
    try:
        identity, password_hash = identities.by_name(tx, name)
    except NotFound:
        return None
    permissions = permissions_of(tx, identity.roles)
    return _Found(identity=identity, permissions=permissions, password_hash=password_hash)


def _by_id(tx: Tx, identity_id: UUID, key_id: UUID | None) -> _Found | None:
    try:
        identity = identities.get(tx, identity_id)
        key = None if key_id is None else identities.key(tx, key_id)
    except NotFound:
        return None
    if key is not None and key.identity_id != identity_id:
        return None
    return _Found(identity=identity, permissions=permissions_of(tx, identity.roles), key=key)


def _create_first(tx: Tx, identity: Identity, password_hash: str, key: ApiKey) -> bool:
    if identities.count(tx) > 0:
        return False
    identities.create(tx, identity, password_hash)
    identities.add_key(tx, key)
    return True


def _ignore(done: asyncio.Future[None]) -> None:
    if not done.cancelled():
        done.exception()
