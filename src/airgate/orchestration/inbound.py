"""Hooks that come in: who may have sent this, and what it asks for. Pure.

Signatures are made as their senders document them: GitHub (``X-Hub-Signature-256``), Stripe (``Stripe-Signature``),
Slack (``X-Slack-Signature``) and Standard Webhooks. What has a time in it is refused when it is old, so that nobody can
send it again later.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from airgate.model.errors import InvalidInput, NotAuthenticated
from airgate.model.states import TriggeredBy
from airgate.model.trigger import TriggerRequest
from airgate.model.webhook import Hook, HookScheme
from airgate.orchestration.templates import Name, TemplateError, Unresolved, dig, render_json, render_text

TOLERANCE: Final = 300
"""Seconds by which the sender's clock may differ from ours."""

_DELIVERY_IDS: Final = {
    HookScheme.GITHUB: "x-github-delivery",
    HookScheme.STANDARD: "webhook-id",
}
"""Headers that name a delivery, the same however often it is sent."""
_EVENT_IDS: Final = {HookScheme.STRIPE: "id", HookScheme.SLACK: "event_id"}
"""Fields of the payload that do, where no header does."""
_LONGEST_KEY: Final = 200
_MOST_SIGNATURES: Final = 10
_MOST_FIELDS: Final = 1000
"""Of a form."""


class Inbound(msgspec.Struct, frozen=True, kw_only=True):
    """A request that came to a hook."""

    headers: dict[str, str]
    """By lower-case name."""
    body: bytes
    """As it came: signatures are of these very bytes."""


def verify(hook: Hook, secrets: Sequence[str], request: Inbound, now: datetime) -> None:
    """Refuse a request that none of the hook's secrets signed. Raises NotAuthenticated, which says what is wrong."""
    given, prove = _VERIFIERS[hook.scheme](hook, request, now)
    fits = False
    for secret in secrets:
        expected = prove(secret).encode()
        for one in given[:_MOST_SIGNATURES]:  # every one is compared, in constant time each
            fits |= hmac.compare_digest(one.encode("utf-8", "replace"), expected)
    if not fits:
        raise NotAuthenticated("The signature is not one of the hook's secret.", code="hook_signature")


Proof = tuple[list[str], Callable[[str], str]]
"""The signatures a request bears, and the one it should bear, by the secret."""


def _github(hook: Hook, request: Inbound, now: datetime) -> Proof:
    return [_header(request, "x-hub-signature-256")], lambda secret: f"sha256={_hex(secret, request.body)}"


def _stripe(hook: Hook, request: Inbound, now: datetime) -> Proof:
    parts = [part.partition("=") for part in _header(request, "stripe-signature").split(",")]
    stamp = next((value for key, _, value in parts if key.strip() == "t"), "")
    _check_age("stripe-signature", stamp, now)
    signatures = [value.strip() for key, _, value in parts if key.strip() == "v1"]
    return signatures, lambda secret: _hex(secret, stamp.encode() + b"." + request.body)


def _slack(hook: Hook, request: Inbound, now: datetime) -> Proof:
    stamp = _header(request, "x-slack-request-timestamp")
    _check_age("x-slack-request-timestamp", stamp, now)
    signed = b"v0:" + stamp.encode() + b":" + request.body
    return [_header(request, "x-slack-signature")], lambda secret: f"v0={_hex(secret, signed)}"


def _standard(hook: Hook, request: Inbound, now: datetime) -> Proof:
    stamp = _header(request, "webhook-timestamp")
    _check_age("webhook-timestamp", stamp, now)
    signed = b".".join((_header(request, "webhook-id").encode(), stamp.encode(), request.body))

    def prove(secret: str) -> str:
        key = standard_key(secret) or secret.encode()
        return "v1," + base64.b64encode(hmac.digest(key, signed, sha256)).decode()

    return _header(request, "webhook-signature").split(" "), prove


def standard_key(secret: str) -> bytes | None:
    """The key that a secret of Standard Webhooks stands for; None: it is not one."""
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return None


def _token(hook: Hook, request: Inbound, now: datetime) -> Proof:
    name = hook.shared_in.strip().lower()
    given = _header(request, name)
    if name == "authorization":
        scheme, _, credential = given.partition(" ")
        given = credential.strip() if scheme.lower() == "bearer" else given
    return [given], str


_VERIFIERS: Final[Mapping[HookScheme, Callable[[Hook, Inbound, datetime], Proof]]] = {
    HookScheme.GITHUB: _github,
    HookScheme.STRIPE: _stripe,
    HookScheme.SLACK: _slack,
    HookScheme.STANDARD: _standard,
    HookScheme.TOKEN: _token,
}


def _header(request: Inbound, name: str) -> str:
    found = request.headers.get(name)
    if not found:
        raise NotAuthenticated(f"The header {name} is missing.", code="hook_signature")
    return found


def _hex(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, sha256).hexdigest()


def _check_age(name: str, stamp: str, now: datetime) -> None:
    if not (stamp.isascii() and stamp.isdigit()) or abs(now.timestamp() - int(stamp[:12])) > TOLERANCE:
        raise NotAuthenticated(
            f"The time in {name} lies more than {TOLERANCE} s from this server's.", code="hook_timestamp"
        )


def greeting(hook: Hook, request: Inbound, payload: Any) -> dict[str, str] | None:
    """The answer to a sender that only makes itself known, and wants no run; None for every other request."""
    if hook.scheme is HookScheme.SLACK and isinstance(payload, dict) and payload.get("type") == "url_verification":
        return {"challenge": str(payload.get("challenge", ""))}
    if hook.scheme is HookScheme.GITHUB and request.headers.get("x-github-event") == "ping":
        return {"pong": hook.name}
    return None


def payload_of(request: Inbound, decode: Callable[[bytes], Any]) -> Any:
    """The body as JSON: itself, or a form's fields, with a ``payload`` that holds JSON read as that. None: it is empty.

    Args:
        request: what came.
        decode: reads JSON; a ValueError says why it cannot be taken.

    Raises:
        InvalidInput: it is neither (code ``hook_payload``).
    """
    if not request.body.strip():
        return None
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if media_type == "application/x-www-form-urlencoded":
            fields = _form(request.body)
            return decode(fields["payload"].encode()) if "payload" in fields else fields
        return decode(request.body)
    except ValueError as error:
        raise InvalidInput(f"The body is neither JSON nor a form: {error}", code="hook_payload") from None


def _form(body: bytes) -> dict[str, str]:
    """A form's fields; of several with one name the last. Raises ValueError."""
    given = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    if b"%00" in body or b"\0" in body:
        raise ValueError("it holds a NUL character")
    return {key: values[-1] for key, values in given.items()}


def trigger_of(hook: Hook, request: Inbound, payload: Any) -> TriggerRequest:
    """What a verified request asks for. Without a template the conf is the payload, where that is an object.

    Raises:
        InvalidInput: a template cannot be filled from this payload (code ``hook_template``).
    """

    def look_up(name: Name) -> Any:
        match name.kind:
            case "payload":
                return dig(name, payload)
            case "headers" if (key := ".".join(name.path).lower()) in request.headers:
                return request.headers[key]
            case _:
                raise Unresolved(name, "a hook reads payload and headers")

    try:
        conf = render_json(hook.conf, look_up) if hook.conf is not None else payload
        run_id = render_text(hook.run_id, look_up) if hook.run_id is not None else None
        key = render_text(hook.idempotency_key, look_up) if hook.idempotency_key is not None else None
    except TemplateError as error:
        raise InvalidInput(f"This payload does not fit the hook: {error}", code="hook_template") from None
    return TriggerRequest(
        dag_id=hook.dag_id,
        run_id=run_id,
        conf=conf if isinstance(conf, dict) else {} if conf is None else {"payload": conf},
        triggered_by=TriggeredBy.REST_API,
        triggering_user=f"hook {hook.name}",
        idempotency_key=_key(hook, key if key is not None else _delivery_id(hook, request, payload)),
    )


def _delivery_id(hook: Hook, request: Inbound, payload: Any) -> str | None:
    """What the sender itself calls this delivery."""
    if (header := _DELIVERY_IDS.get(hook.scheme)) is not None:
        return request.headers.get(header)
    field = _EVENT_IDS.get(hook.scheme)
    found = payload.get(field) if field is not None and isinstance(payload, dict) else None
    return found if isinstance(found, str) and found else None


def _key(hook: Hook, key: str | None) -> str | None:
    """A key that no other hook has. One that is long, or holds odd signs, stands for itself by its digest."""
    if key is None:
        return None
    if len(key) > _LONGEST_KEY or not (key.isascii() and key.isprintable()):
        key = sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"hook:{hook.id}:{key}"
