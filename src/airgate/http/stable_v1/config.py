"""Configuration in v1: the settings that are no secret."""

from __future__ import annotations

from typing import Any, Final

from airgate.http.operations import Call
from airgate.http.replies import Reply, pretty_json
from airgate.http.stable_v1.accept import best_match
from airgate.http.stable_v1.problems import not_found

_MEDIA_TYPES: Final = ("text/plain", "application/json")


async def get_config(call: Call) -> Reply:
    """GET /config: the settings that are no secret."""
    media_type = best_match(call.header(b"accept"), _MEDIA_TYPES)
    if media_type is None:
        return _not_acceptable()
    sections = dict(call.services.config)
    wanted = call.query.section
    if wanted:
        if wanted not in sections:
            raise not_found(f"section={wanted} not found.", "section not found.")
        sections = {wanted: sections[wanted]}
    return _reply(sections, media_type)


async def get_option(call: Call) -> Reply:
    """GET /config/section/{section}/option/{option}."""
    section, option = call.params["section"], call.params["option"]
    media_type = best_match(call.header(b"accept"), _MEDIA_TYPES)
    if media_type is None:
        return _not_acceptable()
    value = call.services.config.get(section, {}).get(option)
    if value is None:
        raise not_found(f"The option [{section}/{option}] is not found in config.", "Config not found.")
    return _reply({section: {option: value}}, media_type)


def _reply(sections: dict[str, Any], media_type: str) -> Reply:
    if media_type == "text/plain":
        parts = (
            f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in options.items())
            for name, options in sections.items()
        )
        return Reply(body="\n".join(parts).encode(), media_type=media_type)
    listed = [
        {"name": name, "options": [{"key": key, "value": value} for key, value in options.items()]}
        for name, options in sections.items()
    ]
    return Reply(body=pretty_json({"sections": listed}))


def _not_acceptable() -> Reply:
    return Reply(status=406, media_type="text/html; charset=utf-8")
