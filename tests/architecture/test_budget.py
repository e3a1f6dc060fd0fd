"""The size budget counts what it says it counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.budget import FILE_LINES, FUNCTION_LINES, PUBLIC_METHODS, check, main


def test_a_function_of_the_allowed_length_passes() -> None:
    assert list(check(_function(FUNCTION_LINES))) == []


def test_a_longer_function_is_named_with_its_line() -> None:
    assert list(check(_function(FUNCTION_LINES + 1))) == ["1: function f has 61 lines, 60 allowed"]


def test_a_longer_file_is_reported() -> None:
    assert list(check("x = 1\n" * (FILE_LINES + 1))) == ["1: file has 601 lines, 600 allowed"]


@pytest.mark.parametrize(
    ("methods", "parts", "reports"),
    [(PUBLIC_METHODS, (), 0), (PUBLIC_METHODS + 1, (), 1), (PUBLIC_METHODS + 1, ("tests", "test_x.py"), 0)],
)
def test_a_class_may_have_so_many_public_methods(methods: int, parts: tuple[str, ...], reports: int) -> None:
    names = [*(f"m{number}" for number in range(methods)), "_private", "m0"]
    source = "class C:\n" + "".join(f"    def {name}(self): ...\n" for name in names)
    assert len(list(check(source, parts))) == reports


def test_the_command_fails_and_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "long.py").write_text(_function(FUNCTION_LINES + 1), encoding="utf-8")
    assert main([str(tmp_path)]) == 1
    assert f"{tmp_path / 'long.py'}:1: function f" in capsys.readouterr().out


def _function(lines: int) -> str:
    return "def f():\n" + "    x = 1\n" * (lines - 1)
