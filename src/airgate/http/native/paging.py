"""Lists by key: a page ends with a cursor that says where the next begins, whatever is added or removed meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from operator import gt, lt
from typing import Annotated, Any, Final, TypeVar

import msgspec

from airgate.http.native.problems import wrong_parameter
from airgate.http.operations import Call
from airgate.http.tokens import BadToken, Signer

T = TypeVar("T")

LARGEST: Final = 1000

Limit = Annotated[int, msgspec.Meta(ge=1, le=LARGEST, description="The most items of a page.")]
After = Annotated[str, msgspec.Meta(description="Where the page begins: `next` of the page before it.")]
Next = Annotated[str, msgspec.Meta(description="Given as `after`, it asks for the next page. Null: this is the last.")]


class Paged(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a list."""

    limit: Limit = 100
    after: After | None = None


def key_after(call: Call) -> Any:
    """The key that the page begins after, None for the first page. Raises Refused for a cursor of something else."""
    cursor = call.query.after
    if cursor is None:
        return None
    try:
        return _signer(call).read(cursor)
    except BadToken:
        raise wrong_parameter("is not a cursor of this list; take it from `next` of its last page", "after") from None


def cut(call: Call, found: Sequence[T], key: Callable[[T], Any]) -> tuple[Sequence[T], str | None]:
    """A page, and the cursor for the next one.

    Args:
        call: the request, whose query is `Paged`.
        found: what follows the cursor; one item more than the limit tells that there is more.
        key: an item's place in the list's order, as a JSON value.
    """
    limit = call.query.limit
    items = found[:limit]
    return items, _signer(call).sign(key(items[-1])) if len(found) > limit else None


def page_of(
    call: Call, everything: Iterable[T], key: Callable[[T], Any], *, descending: bool = False
) -> tuple[Sequence[T], str | None]:
    """A page of a short list that is known as a whole, and the cursor for the next one. It is ordered by `key`."""
    after = key_after(call)
    ordered = sorted(everything, key=key, reverse=descending)
    comes_later = gt if not descending else lt
    following = (item for item in ordered if after is None or comes_later(key(item), after))
    return cut(call, tuple(islice(following, call.query.limit + 1)), key)


def _signer(call: Call) -> Signer:
    return Signer(call.services.secret, f"native cursor {call.operation.path}")
