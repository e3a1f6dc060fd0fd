"""What people and machines write about identities, checked: names, passwords, role words, limits. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from airgate.access import networks
from airgate.model.errors import InvalidInput
from airgate.model.identity import DagGrant, Limits, Profile, RateLimit, Role, Scope, ScopeKind

LONGEST_NAME: Final = 64
LONGEST_PASSWORD: Final = 1024
LONGEST_TEXT: Final = 255
MOST_ENTRIES: Final = 100
LONGEST_WINDOW: Final = 86_400
MOST_REQUESTS: Final = 1_000_000

SERVICE_ROLES: Final = {"viewer": Role.VIEWER, "editor": Role.USER, "admin": Role.ADMIN}
"""Words for what a service account may do, and the role each one is."""
_LEVELS: Final = {"deployment": ScopeKind.DEPLOYMENT, "workspace": ScopeKind.WORKSPACE, "system": ScopeKind.EVERYTHING}


def check_name(name: str) -> None:
    """Refuse a user name nobody could sign in with (code ``identity_name``)."""
    if not 0 < len(name) <= LONGEST_NAME or ":" in name or not name.isprintable() or name != name.strip():
        raise InvalidInput(
            f"A user name has 1 to {LONGEST_NAME} printable characters and no colon.", code="identity_name"
        )


def check_password(password: str) -> None:
    """Refuse a password that is empty, or too long to be hashed (code ``password``)."""
    if not 0 < len(password) <= LONGEST_PASSWORD or not _encodable(password):
        raise InvalidInput(f"A password has 1 to {LONGEST_PASSWORD} characters.", code="password")


def check_text(field: str, text: str, *, least: int = 0) -> None:
    """Refuse a text that is too long, or that no line could show (its code is the field's name)."""
    if not least <= len(text) <= LONGEST_TEXT or not text.isprintable():
        raise InvalidInput(f"{field} has {least} to {LONGEST_TEXT} printable characters, on one line.", code=field)


def check_profile(profile: Profile) -> None:
    """Refuse names and addresses that no line could show."""
    check_text("first_name", profile.first_name)
    check_text("last_name", profile.last_name)
    check_text("email", profile.email)


def service_role(word: str, scope: Scope) -> str:
    """The role that a word means for a service account of this scope.

    Raises:
        InvalidInput: (code ``role_unknown``) no such word, or one whose prefix says another scope.
    """
    level, _, bare = word.strip().lower().rpartition("_")
    role = SERVICE_ROLES.get(bare)
    if role is None or (level and level not in _LEVELS):
        choices = ", ".join(SERVICE_ROLES)
        raise InvalidInput(
            f"There is no role '{word}' for service accounts; please use one of: {choices} "
            "(or DEPLOYMENT_…, WORKSPACE_… in front).",
            code="role_unknown",
        )
    if level and _LEVELS[level] is not scope.kind:
        raise InvalidInput(
            f"The role '{word}' is one of a {level}, but the service account's scope is {scope.kind.value}.",
            code="role_unknown",
        )
    return role.value


def check_scope(scope: Scope, workspaces: Mapping[str, str]) -> None:
    """Refuse a scope that names nothing there is (code ``scope_unknown``).

    Args:
        scope: what an identity is to reach.
        workspaces: the workspace of each deployment, by name.
    """
    if scope.kind is ScopeKind.EVERYTHING:
        if scope.name is not None:
            raise InvalidInput(f"A scope that is everything has no name, such as '{scope.name}'.", code="scope_unknown")
        return
    names = set(workspaces if scope.kind is ScopeKind.DEPLOYMENT else workspaces.values())
    if scope.name not in names:
        raise InvalidInput(
            f"There is no {scope.kind.value} '{scope.name or ''}'; there is: {', '.join(sorted(names))}.",
            code="scope_unknown",
        )


def check_limits(limits: Limits, now: datetime) -> Limits:
    """The limits in their plainest form.

    Raises:
        InvalidInput: (code ``limits``) a pattern, verb, network, rate or expiry that means nothing.
    """
    if limits.expires_at is not None:
        check_expiry("expires_at", limits.expires_at, now)
    if limits.rate is not None:
        _check_rate(limits.rate)
    return Limits(
        dags=None if limits.dags is None else _grants(limits.dags),
        expires_at=limits.expires_at,
        rate=limits.rate,
        networks=_networks(limits.networks),
    )


def check_expiry(field: str, moment: datetime, now: datetime) -> None:
    """Refuse a moment that has no time zone or is over (code ``limits``)."""
    if moment.tzinfo is None:
        raise _wrong(f"{field} needs a time zone, for example 2030-01-01T00:00:00Z.")
    if moment <= now:
        raise _wrong(f"{field} must lie in the future; {moment.isoformat()} has passed.")


def _check_rate(rate: RateLimit) -> None:
    if not (1 <= rate.requests <= MOST_REQUESTS and 1 <= rate.seconds <= LONGEST_WINDOW):
        raise _wrong(
            f"A rate limit is 1 to {MOST_REQUESTS} requests in 1 to {LONGEST_WINDOW} seconds; "
            f"this one is {rate.requests} in {rate.seconds}."
        )


def _grants(grants: tuple[DagGrant, ...]) -> tuple[DagGrant, ...]:
    if len(grants) > MOST_ENTRIES:
        raise _wrong(f"At most {MOST_ENTRIES} DAG patterns can be granted, not {len(grants)}.")
    for grant in grants:
        if not 0 < len(grant.pattern) <= LONGEST_TEXT or not grant.pattern.isprintable():
            raise _wrong(f"A DAG pattern has 1 to {LONGEST_TEXT} printable characters.")
        if not grant.verbs:
            raise _wrong(f"The DAG pattern '{grant.pattern}' grants nothing; its verbs are read, trigger and edit.")
    return tuple(DagGrant(grant.pattern, tuple(dict.fromkeys(grant.verbs))) for grant in grants)


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    if len(texts) > MOST_ENTRIES:
        raise _wrong(f"At most {MOST_ENTRIES} networks can be named, not {len(texts)}.")
    return tuple(dict.fromkeys(str(_network(text)) for text in texts))


def _network(text: str) -> networks.Network:
    try:
        return networks.parse(text.strip())
    except ValueError:
        raise _wrong(
            f"'{text[:64]}' is no network; write one in CIDR notation, like 10.1.0.0/16 or 2001:db8::/32."
        ) from None


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _wrong(detail: str) -> InvalidInput:
    return InvalidInput(detail, code="limits")
