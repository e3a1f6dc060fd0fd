"""The ``Accept`` header, as far as v1 looks at it."""

from __future__ import annotations

from collections.abc import Sequence


def best_match(accept: str | None, offered: Sequence[str]) -> str | None:
    """The offered media type the client likes best; the first of equals. None: it likes none, or named none."""
    best: tuple[float, int, str] | None = None
    for position, media_type in enumerate(offered):
        quality = _quality(accept or "", media_type)
        if quality > 0 and (best is None or (quality, -position) > best[:2]):
            best = (quality, -position, media_type)
    return None if best is None else best[2]


def _quality(accept: str, media_type: str) -> float:
    """Of the most specific range that fits; 0 where none does."""
    main = media_type.partition("/")[0]
    ranks = {"*/*": 0, f"{main}/*": 1, media_type: 2}
    found = (-1, 0.0)
    for part in accept.split(","):
        wanted, *parameters = (piece.strip().lower() for piece in part.split(";"))
        rank = ranks.get(wanted, -1)
        if rank > found[0]:
            found = (rank, _q(parameters))
    return found[1]


def _q(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
