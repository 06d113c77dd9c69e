import os
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest

from ipaas.errors import InputError
from ipaas.settings import Settings, list_unknown_names, load_settings


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("IPAAS_"):
            monkeypatch.delenv(name)


def test_flag_wins_over_environment_wins_over_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typed flag beats the environment, which beats the default."""
    assert load_settings().port == 8080
    monkeypatch.setenv("IPAAS_PORT", "9000")
    assert load_settings().port == 9000
    assert load_settings(port=9001).port == 9001
    assert load_settings(port=None).port == 9000


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists in the environment are separated by commas, with or without blanks."""
    monkeypatch.setenv("IPAAS_ALLOW_NETWORK", "127.0.0.0/8, ::1/128,")
    monkeypatch.setenv("IPAAS_ENV_NAMES", "REGION,STAGE")
    settings = load_settings()
    assert settings.allow_network == (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    assert settings.env_names == ("REGION", "STAGE")


def test_empty_variable_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """`IPAAS_DATABASE=` is the same as no such variable."""
    monkeypatch.setenv("IPAAS_DATABASE", "")
    assert load_settings().database == "sqlite:///ipaas.db"


@pytest.mark.parametrize(
    "flags, message",
    [
        ({"port": "x"}, "`--port` must be a whole number, not `x`"),
        ({"port": 65536}, "`--port` must be at most 65535, not `65536`"),
        ({"log_format": "xml"}, "`--log-format` must be one of `auto`, `json` or `text`, not `xml`"),
        ({"timezone": "Mars"}, "`--timezone` must be an IANA zone name such as `Europe/Berlin`, not `Mars`"),
        ({"grace_s": float("nan")}, "`--grace` must be a number of seconds, not `nan`"),
        (
            {"heartbeat_s": 11},
            "`--heartbeat` must be at most a third of `lease_s` (30), so that a lost heartbeat costs no run, not `11`",
        ),
        (
            {"allow_network": "10.0.0.1/8"},
            (
                "`--allow-network` must be networks such as `10.1.0.0/16`, whose address has no bits beyond the prefix, "
                "not `10.0.0.1/8`"
            ),
        ),
    ],
)
def test_wrong_value_is_named_with_its_rule(flags: dict[str, object], message: str) -> None:
    """A value that does not fit is refused with the setting, the rule and the value."""
    with pytest.raises(InputError) as caught:
        load_settings(**flags)
    assert caught.value.message == message


def test_all_wrong_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two wrong variables are two lines, named as variables."""
    monkeypatch.setenv("IPAAS_PORT", "a")
    monkeypatch.setenv("IPAAS_MAX_RUNS", "0")
    with pytest.raises(InputError) as caught:
        load_settings()
    assert caught.value.message.splitlines() == [
        "`IPAAS_PORT` must be a whole number, not `a`",
        "`IPAAS_MAX_RUNS` must be at least 1, not `0`",
    ]


def test_value_of_database_is_not_repeated() -> None:
    """A database URL may hold a password, so a message about it does not show it."""
    with pytest.raises(InputError) as caught:
        load_settings(database=b"\xffhunter2")
    assert "hunter2" not in caught.value.message


def test_folders_follow_the_pipelines_folder(tmp_path: Path) -> None:
    """Plugins lie beside the pipelines, files in them, unless they are given."""
    settings = load_settings(pipelines=tmp_path / "flows")
    assert settings.plugins_folder == tmp_path / "plugins"
    assert settings.files_folder == tmp_path / "flows" / "files"
    assert load_settings(plugins=tmp_path, files_root=tmp_path).files_folder == tmp_path


def test_cache_follows_the_xdg_rule(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The cache lies in `$XDG_CACHE_HOME/ipaas`, or under the home folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert load_settings().cache_folder == tmp_path / "ipaas"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert load_settings().cache_folder == Path.home() / ".cache" / "ipaas"


def test_misspelt_names_are_found() -> None:
    """A variable that looks like a setting and is none is listed; credentials and connectors' settings are not."""
    environ = dict.fromkeys(["IPAAS_DATABSE", "IPAAS_PORT", "IPAAS_CREDENTIAL_SHOP", "IPAAS_SLACK_TEAM", "PATH"], "x")
    assert list_unknown_names(environ) == ["IPAAS_DATABSE", "IPAAS_SLACK_TEAM"]
    assert list_unknown_names(environ, connectors=["slack"]) == ["IPAAS_DATABSE"]


def test_every_setting_is_described() -> None:
    """Each setting has a description that is a sentence."""
    assert [name for name, field in Settings.model_fields.items() if not (field.description or "").endswith(".")] == []


def test_command_line_does_not_import_it_for_help() -> None:
    """`ipaas --help` does not pay for pydantic, trio, rich or asyncio."""
    code = (
        "import sys, ipaas.cli\n"
        "ipaas.cli.main(['--help'])\n"
        "heavy = {'pydantic', 'pydantic_settings', 'trio', 'rich', 'jsonschema', 'httpx2', 'starlette', 'yaml', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_vars_are_a_json_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """`IPAAS_VARS` is read as one JSON object, and anything else is refused with its name."""
    monkeypatch.setenv("IPAAS_VARS", '{"region": "eu", "limits": {"rows": 5}}')
    assert load_settings().vars == {"region": "eu", "limits": {"rows": 5}}
    for wrong in ("[1]", "region=eu"):
        monkeypatch.setenv("IPAAS_VARS", wrong)
        with pytest.raises(InputError, match=r"IPAAS_VARS.*must be a JSON object"):
            load_settings()
