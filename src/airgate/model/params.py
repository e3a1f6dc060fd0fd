"""Params: what a run's conf makes of a DAG's params, checked against their JSON Schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from airgate.model.dag import ParamSpec
from airgate.model.errors import InvalidInput

_FORMATS = FormatChecker()
# An empty registry: a schema that refers to another document is refused, never fetched.
_NO_DOCUMENTS: Registry[Any] = Registry()


class Params:
    """A DAG's params, with their schemas compiled once. Keep it per DAG version: checking a conf is then cheap."""

    def __init__(self, params: Mapping[str, ParamSpec]) -> None:
        self._params = {name: _Param(name, spec) for name, spec in params.items()}

    def resolve(self, conf: Mapping[str, Any] | None) -> dict[str, Any]:
        """The values a run has: defaults, overridden and extended by its conf.

        Raises:
            InvalidInput: a value does not fit its schema, or there is none; code ``invalid_param``.
        """
        conf = conf or {}
        values = {
            name: param.check(conf[name]) if name in conf else param.default() for name, param in self._params.items()
        }
        return {**values, **conf}


class _Param:
    """One param. Its default is checked on first use, once: it is the same for every run."""

    def __init__(self, name: str, spec: ParamSpec) -> None:
        self._name = name
        self._spec = spec
        self._validator: Validator | None = None
        self._default_verdict: InvalidInput | msgspec.UnsetType | None = msgspec.UNSET

    def default(self) -> Any:
        """The default value.

        Raises:
            InvalidInput: it has none, or one that its own schema refuses.
        """
        if self._default_verdict is msgspec.UNSET:
            self._default_verdict = self._judge_default()
        if self._default_verdict is not None:
            raise InvalidInput(self._default_verdict.detail, code="invalid_param")
        return self._spec.value

    def _judge_default(self) -> InvalidInput | None:
        if not self._spec.has_value:
            return self._invalid("No value passed and Param has no default value")
        try:
            self.check(self._spec.value)
        except InvalidInput as error:
            return error
        return None

    def check(self, value: Any) -> Any:
        """The value itself.

        Raises:
            InvalidInput: it does not fit the schema, or the schema is none.
        """
        if not self._spec.schema:
            return value
        try:
            error = best_match(self._compiled().iter_errors(value))
        except (SchemaError, Unresolvable) as problem:
            raise self._invalid(problem) from None
        except RecursionError:
            raise self._invalid("it is nested too deeply to be checked") from None
        if error is not None:
            raise self._invalid(error)
        return value

    def _compiled(self) -> Validator:
        if self._validator is None:
            kind = validator_for(self._spec.schema, default=Draft202012Validator)
            kind.check_schema(self._spec.schema)
            self._validator = kind(self._spec.schema, format_checker=_FORMATS, registry=_NO_DOCUMENTS)
        return self._validator

    def _invalid(self, problem: str | ValidationError | SchemaError | Unresolvable) -> InvalidInput:
        # Airflow's own words, which clients have learnt to read.
        return InvalidInput(f"Invalid input for param {self._name}: {problem}", code="invalid_param")
