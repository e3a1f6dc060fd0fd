from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airgate.http.replies import pretty_json

TEXT = st.text(st.characters(codec="utf-8"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


@given(JSON)
def test_json_is_printed_as_the_standard_library_prints_it(value: Any) -> None:
    assert pretty_json(value) == json.dumps(value, sort_keys=True, indent=2).encode() + b"\n"


def test_numbers_keep_their_value() -> None:
    values = [0.0, 2e-06, 1.5, 10.0, 1e300]
    assert json.loads(pretty_json(values)) == values
