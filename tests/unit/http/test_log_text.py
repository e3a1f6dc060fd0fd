from __future__ import annotations

from airgate.http.log_text import readable


def test_an_entry_reads_as_airflow_2_wrote_it() -> None:
    entry = {"timestamp": "T", "level": "warning", "filename": "a.py", "lineno": 7, "event": "careful", "key": "value"}
    assert readable(entry) == "[T] {a.py:7} WARNING - careful key='value'\n"


def test_an_entry_needs_nothing_but_its_event() -> None:
    assert readable({"event": "hello"}) == "INFO - hello\n"


def test_an_exception_follows_its_entry_as_a_traceback() -> None:
    detail = {"exc_type": "ValueError", "exc_value": "no", "frames": [{"filename": "a.py", "lineno": 3, "name": "f"}]}
    assert readable({"event": "failed", "level": "error", "error_detail": [detail]}) == (
        'ERROR - failed\nTraceback (most recent call last):\n  File "a.py", line 3, in f\nValueError: no\n'
    )


def test_an_exception_in_one_text_follows_its_entry() -> None:
    assert readable({"event": "failed", "exception": "Traceback …"}) == "INFO - failed\nTraceback …\n"


def test_details_of_an_unexpected_form_do_no_harm() -> None:
    assert readable({"event": "x", "error_detail": [None, {"frames": None}]}) == "INFO - x\nException: \n"
