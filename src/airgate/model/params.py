"""Params: what a run's conf makes of a DAG's params, checked against their JSON Schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airgate.model.dag import ParamSpec


class Params:
    """A DAG's params, with their schemas compiled once. Keep it per DAG version: checking a conf is then cheap."""

    def __init__(self, params: Mapping[str, ParamSpec]) -> None:
        raise NotImplementedError

    def resolve(self, conf: Mapping[str, Any] | None) -> dict[str, Any]:
        """The values a run has: defaults, overridden and extended by its conf.

        Raises:
            InvalidInput: a value does not fit its schema, or there is none; code ``invalid_param``.
        """
        raise NotImplementedError
