from __future__ import annotations

from pathlib import Path

import pytest

from airgate import settings
from airgate.settings import load

DOCS = Path(__file__).parents[2] / "docs"


def text() -> str:
    return (DOCS / "configuration.md").read_text(encoding="utf-8")


def test_reference_of_settings_is_the_table() -> None:
    _, _, after = text().partition("<!-- settings: ")
    shown = after.partition("-->\n\n")[2]
    assert shown == settings.reference(), "renew it as the comment above it in docs/configuration.md says"


@pytest.mark.parametrize("setting", settings.TABLE, ids=lambda setting: setting.name)
def test_setting_explains_itself_in_a_sentence(setting: settings.Setting) -> None:
    assert setting.help.endswith(".")
    assert setting.help[0].isupper() or setting.help[0] == "`"


def test_example_file_of_the_documentation_can_be_loaded(tmp_path: Path) -> None:
    example = text().partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "airgate.toml").write_text(example, encoding="utf-8")
    chosen = load(environment={}, config=Path("airgate.toml"), folder=tmp_path)
    assert (chosen.port, chosen.engine.isolation) == (9000, "reuse")
