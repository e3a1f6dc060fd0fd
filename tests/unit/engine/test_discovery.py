"""Which files of a folder are DAG files, and which version each is in."""

from __future__ import annotations

from pathlib import Path

from airgate.engine.discovery import discover

DAG = "from airflow.sdk import DAG\n"


def found(root: Path) -> dict[str, str]:
    return {file: version.key for file, version in discover(root).files.items()}


def test_python_files_that_mention_airflow_and_a_dag_or_an_asset_are_dag_files(tmp_path: Path) -> None:
    texts = {
        "dag.py": "import Airflow; DAG",
        "asset.py": "from airflow.sdk import Asset",
        "helper.py": "def dag(): pass",
        "other.py": "import airflow",
        "dag.txt": DAG,
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    assert sorted(found(tmp_path)) == ["asset.py", "dag.py"]


def test_folder_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    assert found(tmp_path / "none") == {}


def test_version_changes_with_the_file_and_with_helpers_but_not_with_other_dag_files(tmp_path: Path) -> None:
    for name, text in (("a.py", DAG), ("b.py", DAG), ("lib/helper.py", "X = 1")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    first = found(tmp_path)
    (tmp_path / "b.py").write_text(DAG + "# new\n")
    second = found(tmp_path)
    assert (second["a.py"] == first["a.py"], second["b.py"] == first["b.py"]) == (True, False)
    (tmp_path / "lib" / "helper.py").write_text("X = 2")
    third = found(tmp_path)
    assert not set(third.values()) & set(second.values())


def test_ignore_files_hold_from_their_own_folder_down(tmp_path: Path) -> None:
    for name in ("skip.py", "sub/skip.py", "sub/keep.py", "sub/deep/skip.py", "beside/skip.py", "gone/any.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(DAG)
    (tmp_path / "sub" / ".airflowignore").write_text("# skip.py is not meant here\nskip.py\n")
    (tmp_path / ".airflowignore").write_text("gone/\n")
    assert sorted(found(tmp_path)) == ["beside/skip.py", "skip.py", "sub/keep.py"]


def test_line_of_an_ignore_file_that_is_no_pattern_is_passed_over(tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(DAG)
    (tmp_path / ".airflowignore").write_text("!\n\\\na.py\n")
    assert list(found(tmp_path)) == ["b.py"]


def test_file_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(DAG)
    (tmp_path / "b.py").symlink_to(tmp_path / "nowhere.py")
    assert list(found(tmp_path)) == ["a.py"]
