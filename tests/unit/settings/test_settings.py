from __future__ import annotations

from pathlib import Path

import pytest

from airgate import settings
from airgate.settings import SettingsError, load


def write(folder: Path, text: str, name: str = "airgate.toml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_count_when_nothing_is_given(tmp_path: Path) -> None:
    chosen = load(environment={}, folder=tmp_path)
    assert (chosen.dags, chosen.data) == (tmp_path / "dags", tmp_path / ".airgate")
    assert (chosen.host, chosen.port) == ("127.0.0.1", 8080)
    assert chosen.database_url == f"sqlite:///{tmp_path}/.airgate/airgate.db"
    assert chosen.interpreter.exists()
    assert chosen.engine.dags_paused_at_creation is False


def test_option_counts_before_variable_and_variable_before_file(tmp_path: Path) -> None:
    config = write(tmp_path, "port = 1\nhost = 'file'\nlog_level = 'error'")
    environment = {"AIRGATE_PORT": "2", "AIRGATE_HOST": "variable"}
    chosen = load(options={"port": "3"}, environment=environment, config=config, folder=tmp_path)
    assert (chosen.port, chosen.host, chosen.log_level) == (3, "variable", "error")


def test_setting_of_a_group_can_be_given_everywhere(tmp_path: Path) -> None:
    write(tmp_path / ".airgate", "[engine]\nspares = 4\n[http]\nmax_body = 5")
    chosen = load(
        options={"engine.parallelism": "7"}, environment={"AIRGATE_ENGINE_KILL_GRACE": "1.5"}, folder=tmp_path
    )
    assert (chosen.engine.spares, chosen.engine.parallelism, chosen.engine.kill_grace) == (4, 7, 1.5)
    assert chosen.http.max_body == 5


@pytest.mark.parametrize("text", ["true", "True", "1"])
def test_boolean_can_be_given_as_text(tmp_path: Path, text: str) -> None:
    chosen = load(environment={"AIRGATE_ENGINE_DAGS_PAUSED_AT_CREATION": text}, folder=tmp_path)
    assert chosen.engine.dags_paused_at_creation is True


def test_empty_variable_counts_as_none(tmp_path: Path) -> None:
    assert load(environment={"AIRGATE_PORT": "", "AIRGATE_DATABASE": ""}, folder=tmp_path).port == 8080


def test_port_that_kubernetes_made_does_not_count(tmp_path: Path) -> None:
    assert load(environment={"AIRGATE_PORT": "tcp://10.0.0.1:80"}, folder=tmp_path).port == 8080


def test_file_in_the_data_folder_counts_wherever_that_is(tmp_path: Path) -> None:
    write(tmp_path / "a", "port = 1")
    write(tmp_path / "b", "port = 2")
    assert load(environment={"AIRGATE_DATA": "a"}, folder=tmp_path).port == 1
    assert load(options={"data": "b"}, environment={"AIRGATE_DATA": "a"}, folder=tmp_path).port == 2


def test_file_named_by_variable_counts_instead_of_that_in_the_data_folder(tmp_path: Path) -> None:
    write(tmp_path / ".airgate", "port = 1")
    write(tmp_path, "port = 2", "other.toml")
    assert load(environment={"AIRGATE_CONFIG": "other.toml"}, folder=tmp_path).port == 2


def test_relative_path_starts_from_where_it_is_written(tmp_path: Path) -> None:
    config = write(tmp_path / "etc", "dags = 'mine'\npython = '/usr/bin/python3'")
    chosen = load(options={"data": "var"}, environment={}, config=config, folder=tmp_path)
    assert (chosen.dags, chosen.data) == (tmp_path / "etc" / "mine", tmp_path / "var")
    assert chosen.python == Path("/usr/bin/python3")


@pytest.mark.parametrize(
    ("variable", "value", "must_be"),
    [
        ("AIRGATE_PORT", "high", "a whole number from 0 up to 65535"),
        ("AIRGATE_PORT", "65536", "a whole number from 0 up to 65535"),
        ("AIRGATE_ENGINE_ISOLATION", "threads", "one of fork, reuse"),
        ("AIRGATE_ENGINE_KILL_GRACE", "0", "a number above 0"),
        ("AIRGATE_ENGINE_KILL_GRACE", "inf", "a number above 0"),
        ("AIRGATE_ENGINE_DAGS_PAUSED_AT_CREATION", "maybe", "true or false"),
    ],
)
def test_bad_value_is_one_line_that_names_its_source_and_what_is_right(
    tmp_path: Path, variable: str, value: str, must_be: str
) -> None:
    with pytest.raises(SettingsError) as error:
        load(environment={variable: value}, folder=tmp_path)
    text = str(error.value)
    assert text.startswith(f"environment variable {variable}: ")
    assert text.endswith(f"cannot be {value!r}: it must be {must_be}")
    assert "\n" not in text


def test_bad_option_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^option --engine-warm-files: engine\.warm_files cannot be 'x'"):
        load(options={"engine.warm_files": "x"}, environment={}, folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# note\nport = 'x'", 2),
        ("port = 1\n\n[engine]\n# note\nspares = -1", 5),
        ("engine.spares = 'many'", 1),
        ("[http]\nmax_body = 'five'", 2),
    ],
)
def test_bad_value_in_a_file_is_named_by_its_line(tmp_path: Path, text: str, line: int) -> None:
    config = write(tmp_path, text)
    with pytest.raises(SettingsError) as error:
        load(environment={}, config=config, folder=tmp_path)
    assert str(error.value).startswith(f"{config}, line {line}: ")


def test_unknown_setting_in_a_file_is_named_with_what_was_meant(tmp_path: Path) -> None:
    config = write(tmp_path, "[engine]\nparalelism = 5")
    with pytest.raises(SettingsError, match=r"line 2: .*'engine\.paralelism'; did you mean 'engine\.parallelism'\?$"):
        load(environment={}, config=config, folder=tmp_path)


def test_file_that_is_no_toml_is_named_with_the_place(tmp_path: Path) -> None:
    config = write(tmp_path, "port = 1\nhost = = 2")
    with pytest.raises(SettingsError, match=r"airgate\.toml: .*line 2"):
        load(environment={}, config=config, folder=tmp_path)


def test_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        load(environment={}, config=Path("missing.toml"), folder=tmp_path)


@pytest.mark.parametrize("name", sorted(settings.SECRETS))
def test_bad_secret_is_not_repeated(tmp_path: Path, name: str) -> None:
    config = write(tmp_path, "".join(f"{name} = 123456789\n"))
    with pytest.raises(SettingsError) as error:
        load(environment={}, config=config, folder=tmp_path)
    assert "123456789" not in str(error.value)


@pytest.mark.parametrize("url", ["postgresql://u:p@h/d", "postgresql+psycopg://h/d", "sqlite:////tmp/a.db"])
def test_database_can_be_named_by_url(tmp_path: Path, url: str) -> None:
    assert load(environment={"AIRGATE_DATABASE": url}, folder=tmp_path).database_url == url


@pytest.mark.parametrize("url", ["mysql://h/d", "airgate.db", "sqlite://"])
def test_database_of_another_kind_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="it must be postgresql://"):
        load(environment={"AIRGATE_DATABASE": url}, folder=tmp_path)


def test_misspelt_variable_is_pointed_out_and_others_are_left_alone() -> None:
    environment = {
        "AIRGATE_ENGINE_PARALELISM": "1",
        "AIRGATE_SERVICE_HOST": "10.0.0.1",
        "AIRGATE_PORT": "1",
        "AIRGATE_TOKEN": "x",
        "HOME": "/",
    }
    assert settings.unknown_variables(environment) == (("AIRGATE_ENGINE_PARALELISM", "AIRGATE_ENGINE_PARALLELISM"),)


def test_every_setting_has_one_variable_of_its_own() -> None:
    assert len({setting.variable for setting in settings.TABLE}) == len(settings.TABLE)


def test_secrets_cannot_be_given_on_a_command_line() -> None:
    hidden = {"admin.password", "secret_key", "batch.shared_secret", "mail.password"}
    assert {setting.name for setting in settings.TABLE if setting.option is None} == hidden


PLUGINS_OWN = ("AIRFLOW__AIRFLOW_API_PLUGIN__AIRFLOW_API_AUTH", "AIRFLOW__AIRFLOW__API__PLUGIN_AIRFLOW_API_AUTH")


@pytest.mark.parametrize("variable", ["AIRGATE_BATCH_SHARED_SECRET", *PLUGINS_OWN])
def test_the_batch_plugins_own_variables_set_its_secret(tmp_path: Path, variable: str) -> None:
    chosen = settings.load(environment={variable: "sixteen-letters!"}, folder=tmp_path)

    assert chosen.batch.shared_secret == "sixteen-letters!"


def test_airgates_own_variable_counts_before_the_plugins(tmp_path: Path) -> None:
    ours = {"AIRGATE_BATCH_SHARED_SECRET": "the-secret-of-ours"}

    chosen = settings.load(environment={**dict.fromkeys(PLUGINS_OWN, "a-secret-of-theirs"), **ours}, folder=tmp_path)

    assert chosen.batch.shared_secret == "the-secret-of-ours"


@pytest.mark.parametrize("secret", ["too short", "fifteen-letters", "with a space in it", "one.two.three-and-four"])
def test_a_shared_secret_that_could_not_work_is_refused_and_not_shown(tmp_path: Path, secret: str) -> None:
    with pytest.raises(settings.SettingsError, match=PLUGINS_OWN[0]) as refused:
        settings.load(environment={PLUGINS_OWN[0]: secret}, folder=tmp_path)

    assert secret not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "path"),
    [("", ""), ("/", ""), ("airgate", "/airgate"), ("/airgate/", "/airgate"), ("/a/b-c/~d.e_f", "/a/b-c/~d.e_f")],
)
def test_base_path_is_brought_into_its_usual_form(tmp_path: Path, given: str, path: str) -> None:
    assert load(options={"base_path": given}, environment={}, folder=tmp_path).base_path == path


@pytest.mark.parametrize(
    "given", ["/a//b", "/a b", "/a?b", "/a#b", "/a%20b", "/..", "/a/./b", "http://x/y", "/ü", "/a\nb"]
)
def test_base_path_that_is_no_path_is_refused(tmp_path: Path, given: str) -> None:
    with pytest.raises(SettingsError, match=r"base_path cannot be .* such as /airgate"):
        load(environment={"AIRGATE_BASE_PATH": given}, folder=tmp_path)


@pytest.mark.parametrize("text", ["10.0.0.0/8, fd00::/8", "10.0.0.0/8 fd00::/8", "10.1.2.3/8,fd00::1/8"])
def test_list_can_be_given_as_text_with_commas_or_spaces(tmp_path: Path, text: str) -> None:
    chosen = load(environment={"AIRGATE_HTTP_TRUSTED_PROXIES": text}, folder=tmp_path)
    assert chosen.http.trusted_proxies == ("10.0.0.0/8", "fd00::/8")


def test_list_can_be_given_in_the_file(tmp_path: Path) -> None:
    config = write(tmp_path, "[http]\ntrusted_proxies = ['10.0.0.1']\naccess_control_allow_origins = '*'")
    chosen = load(environment={}, config=config, folder=tmp_path)
    assert chosen.http.trusted_proxies == ("10.0.0.1/32",)
    assert chosen.http.access_control_allow_origins == ("*",)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AIRGATE_HTTP_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("AIRGATE_HTTP_TRUSTED_PROXIES", "proxy.example.com"),
        ("AIRGATE_HTTP_ACCESS_CONTROL_ALLOW_ORIGINS", "https://a.example/path"),
        ("AIRGATE_HTTP_ACCESS_CONTROL_ALLOW_ORIGINS", "* https://a.example"),
        ("AIRGATE_HTTP_ACCESS_CONTROL_ALLOW_ORIGINS", "a.example"),
        ("AIRGATE_HTTP_ACCESS_CONTROL_ALLOW_HEADERS", "a\r\nSet-Cookie: b"),
        ("AIRGATE_AUDIT_DAYS", "-1"),
    ],
)
def test_value_that_cannot_be_used_is_named_with_what_is_right(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"environment variable {variable}: .* it must be "):
        load(environment={variable: value}, folder=tmp_path)


@pytest.mark.parametrize("url", ["https://airgate.example.com", "http://10.0.0.1:8080/"])
def test_public_address_is_kept_without_a_slash_at_its_end(tmp_path: Path, url: str) -> None:
    assert load(environment={"AIRGATE_PUBLIC_URL": url}, folder=tmp_path).public_url == url.rstrip("/")


@pytest.mark.parametrize("url", ["airgate.example.com", "https://a/b", "https://user@a", "ftp://a"])
def test_public_address_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="it must be http:// or https:// and a host"):
        load(environment={"AIRGATE_PUBLIC_URL": url}, folder=tmp_path)


def test_settings_of_mail_and_webhooks_come_from_their_tables(tmp_path: Path) -> None:
    config = write(tmp_path, '[mail]\nhost = "mx"\nsecurity = "tls"\n[webhooks]\nauthorities = "ca.pem"\nkeep_days = 0')
    chosen = load(environment={}, config=config, folder=tmp_path / "elsewhere")
    assert (chosen.mail.host, chosen.mail.security, chosen.mail.port) == ("mx", "tls", 587)
    assert chosen.webhooks.authorities == config.parent / "ca.pem"
    assert chosen.webhooks.keep_days == 0
