from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from airgate.data_folder import prepare_data_folder, secret_key, write_private
from airgate.settings import SettingsError, load


def test_data_folder_is_closed_to_others_and_ignored_by_git(tmp_path: Path) -> None:
    data = tmp_path / "a" / "data"
    prepare_data_folder(data)
    prepare_data_folder(data)
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert (data / ".gitignore").read_text() == "*\n"


def test_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="data folder"):
        prepare_data_folder(tmp_path / "file" / "data")


def test_secret_key_is_made_once_and_kept_for_this_user_alone(tmp_path: Path) -> None:
    chosen = load(options={"data": str(tmp_path)}, environment={}, folder=tmp_path)
    key = secret_key(chosen)
    assert secret_key(chosen) == key
    assert Fernet(key).decrypt(Fernet(key).encrypt(b"x")) == b"x"
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_secret_key_that_is_set_counts_and_none_is_made(tmp_path: Path) -> None:
    key = Fernet.generate_key()
    chosen = load(environment={"AIRGATE_SECRET_KEY": key.decode(), "AIRGATE_DATA": str(tmp_path)}, folder=tmp_path)
    assert secret_key(chosen) == key
    assert list(tmp_path.iterdir()) == []


def test_secret_key_that_is_none_is_refused_without_repeating_it(tmp_path: Path) -> None:
    chosen = load(environment={"AIRGATE_SECRET_KEY": "hunter2"}, folder=tmp_path)
    with pytest.raises(SettingsError, match="no Fernet key") as error:
        secret_key(chosen)
    assert "hunter2" not in str(error.value)


def test_private_file_of_another_process_is_kept_when_it_was_first(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    write_private(path, b"first", replace=False)
    write_private(path, b"second", replace=False)
    assert path.read_bytes() == b"first"
    write_private(path, b"third")
    assert path.read_bytes() == b"third"
    assert [each.name for each in tmp_path.iterdir()] == ["secret.key"]
