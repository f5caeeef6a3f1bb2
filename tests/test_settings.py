"""Settings: traits, environment and the user's choices; secrets go only where they belong."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from traitlets import TraitError
from traitlets.config import Config

from jupyter_assistant.errors import InvalidInput, SettingsUnavailable
from jupyter_assistant.settings import JupyterAssistant, Settings

ROOT = Path(__file__).parent.parent


def settings(folder: Path, environ: dict[str, str] | None = None, **traits: object) -> Settings:
    config = Config({"JupyterAssistant": {"data_dir": str(folder), **traits}})
    made = Settings(JupyterAssistant(config=config), {} if environ is None else environ)
    made.load()
    return made


def test_without_anything_there_is_no_endpoint(tmp_path: Path) -> None:
    assert settings(tmp_path).endpoints() == ()


def test_the_environment_configures_the_gateway_and_its_key_is_taken_out(tmp_path: Path) -> None:
    environ = {
        "JUPYTER_ASSISTANT_BASE_URL": "http://127.0.0.1:9/v1/",
        "JUPYTER_ASSISTANT_API_KEY": "sk-secret-123",
        "JUPYTER_ASSISTANT_MODEL": "llama",
        "JUPYTER_ASSISTANT_MAX_TOKENS": "99",
    }
    made = settings(tmp_path, environ)
    assert "JUPYTER_ASSISTANT_API_KEY" not in environ
    assert [(e.name, e.base_url, e.api_key) for e in made.endpoints()] == [
        ("gateway", "http://127.0.0.1:9/v1", "sk-secret-123")
    ]
    assert (made.value("model"), made.value("max_tokens")) == ("llama", 99)


def test_endpoints_come_in_the_order_of_the_design(tmp_path: Path) -> None:
    environ = {"OPENROUTER_API_KEY": "or", "OPENAI_API_KEY": "oa", "JUPYTER_ASSISTANT_BASE_URL": "http://h/v1"}
    assert [e.name for e in settings(tmp_path, environ).endpoints()] == ["gateway", "openai", "openrouter"]


def test_configuration_wins_over_the_environment(tmp_path: Path) -> None:
    environ = {"JUPYTER_ASSISTANT_BASE_URL": "http://env/v1"}
    assert settings(tmp_path, environ, base_url="http://config/v1").value("base_url") == "http://config/v1"


@pytest.mark.parametrize(
    ("traits", "environ", "words"),
    [
        ({"base_url": "localhost:1234"}, {}, "base_url must begin with http"),
        ({"base_url": "http://user:pw@h/v1"}, {}, "user name"),
        ({"base_url": "http://h:port/v1"}, {}, "no address"),
        ({"context_tokens": "many"}, {}, "context_tokens"),
        ({"context_tokens": -1}, {}, "context_tokens"),
        ({"locked": ["modle"]}, {}, "modle"),
        ({"data_dir": ""}, {}, "data_dir must be an absolute path"),
        ({"api_key": "sk-pw"}, {}, "must not stand in a configuration"),
        ({"embeddings_api_key": "sk-pw"}, {}, "embeddings_api_key must not stand in a configuration"),
        ({"embeddings_base_url": "localhost:1234"}, {}, "embeddings_base_url must begin with http"),
        ({"embeddings_model": "x\0"}, {}, "embeddings_model must be"),
        ({}, {"JUPYTER_ASSISTANT_MAX_TOKENS": "lots"}, "MAX_TOKENS must be a whole number"),
        ({}, {"JUPYTER_ASSISTANT_BASE_URL": "nowhere"}, "JUPYTER_ASSISTANT_BASE_URL is wrong"),
    ],
)
def test_a_wrong_setting_is_one_clear_sentence(
    tmp_path: Path, traits: dict[str, object], environ: dict[str, str], words: str
) -> None:
    with pytest.raises(TraitError) as raised:
        settings(tmp_path, environ, **traits)
    assert words in str(raised.value)
    assert "pw" not in str(raised.value)


def test_a_change_is_kept_privately_and_survives_a_restart(tmp_path: Path) -> None:
    made = settings(tmp_path / "data")
    made.change({"base_url": "http://h/v1", "api_key": "sk-mine", "context_tokens": 9000})
    again = settings(tmp_path / "data")
    assert (again.value("context_tokens"), again.endpoints()[0].api_key) == (9000, "sk-mine")
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert {stat.S_IMODE(f.stat().st_mode) for f in (tmp_path / "data").iterdir()} == {0o600}
    assert "sk-mine" not in (tmp_path / "data" / "settings.json").read_text()


def test_a_setting_says_where_it_comes_from(tmp_path: Path) -> None:
    environ = {"JUPYTER_ASSISTANT_BASE_URL": "http://env/v1", "JUPYTER_ASSISTANT_API_KEY": "sk-env"}
    made = settings(tmp_path, environ, model="theirs", locked=["context_tokens"])
    made.change({"instructions": "Be brief."})
    assert made.shown()["sources"] == {
        "base_url": "environment",
        "api_key": "environment",
        "model": "administrator",
        "max_tokens": "default",
        "context_tokens": "default",
        "instructions": "user",
        "no_think": "default",
        "embeddings_base_url": "default",
        "embeddings_api_key": "default",
        "embeddings_model": "default",
    }
    made.change({"base_url": "http://mine/v1"})
    sources = made.shown()["sources"]
    assert (sources["base_url"], sources["api_key"]) == ("user", "default")  # the environment's key is not for mine
    made.change({"base_url": None, "api_key": "sk-mine"})
    assert made.shown()["sources"]["api_key"] == "user"


def test_a_locked_choice_is_the_administrators(tmp_path: Path) -> None:
    settings(tmp_path).change({"model": "mine"})
    assert settings(tmp_path, model="theirs", locked=["model"]).shown()["sources"]["model"] == "administrator"
    assert settings(tmp_path, locked=["model"]).shown()["sources"]["model"] == "default"


def test_a_change_is_all_or_nothing(tmp_path: Path) -> None:
    made = settings(tmp_path)
    with pytest.raises(InvalidInput) as raised:
        made.change({"model": "m", "context_tokens": 1})
    assert raised.value.field == "context_tokens"
    assert made.value("model") == ""
    assert not (tmp_path / "settings.json").exists()


@pytest.mark.parametrize(
    "changes", [{"modle": "x"}, {"model": True}, {"max_tokens": "1"}, {"max_tokens": False}, {"no_think": "x"}]
)
def test_wrong_changes_are_named(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as raised:
        settings(tmp_path).change(changes)
    assert raised.value.field in changes


def test_a_key_is_not_repeated_when_it_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as raised:
        settings(tmp_path).change({"api_key": ["sk-secret"]})
    assert "sk-secret" not in raised.value.text + raised.value.hint


def test_a_locked_setting_stays_as_the_administrator_set_it(tmp_path: Path) -> None:
    settings(tmp_path).change({"model": "mine"})
    locked = settings(tmp_path, model="theirs", locked=["model"])
    assert locked.value("model") == "theirs"
    assert locked.shown()["locked"] == ["model"]
    with pytest.raises(InvalidInput):
        locked.change({"model": "mine"})


def test_the_administrators_key_goes_only_to_the_administrators_endpoint(tmp_path: Path) -> None:
    made = settings(tmp_path, {"JUPYTER_ASSISTANT_API_KEY": "sk-theirs"}, base_url="http://theirs/v1")
    assert made.endpoints()[0].api_key == "sk-theirs"
    made.change({"base_url": "http://mine/v1"})
    assert [(e.base_url, e.api_key) for e in made.endpoints()] == [("http://mine/v1", "")]


def test_a_users_key_does_not_follow_to_another_endpoint(tmp_path: Path) -> None:
    made = settings(tmp_path)
    made.change({"base_url": "http://one/v1", "api_key": "sk-one"})
    made.change({"base_url": "http://two/v1"})
    assert made.endpoints()[0].api_key == ""


def test_null_goes_back_to_the_administrators_value(tmp_path: Path) -> None:
    made = settings(tmp_path, model="theirs")
    made.change({"model": "mine"})
    made.change({"model": None})
    assert made.value("model") == "theirs"


def test_a_secret_is_shown_as_there_or_not(tmp_path: Path) -> None:
    made = settings(tmp_path)
    assert made.shown()["settings"]["api_key"] is False
    made.change({"base_url": "http://h/v1", "api_key": "sk-hidden-value"})
    assert made.shown()["settings"]["api_key"] is True
    assert "sk-hidden-value" not in json.dumps(made.shown()) + repr(made.endpoints()) + str(vars(made)["traits"])
    assert "sk-hidden-value" in made.secrets()


def test_a_damaged_file_is_set_aside_and_said(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("{broken")
    with pytest.raises(SettingsUnavailable) as raised:
        settings(tmp_path)
    assert str(tmp_path) not in raised.value.text
    kept = [file for file in tmp_path.iterdir() if "corrupt" in file.name]
    assert [file.read_text() for file in kept] == ["{broken"]


def test_models_are_asked_not_to_think_by_pattern(tmp_path: Path) -> None:
    made = settings(tmp_path, no_think=["qwen3*"])
    assert not made.thinks("Qwen3-8B")
    assert made.thinks("llama-3")


def test_every_setting_has_help_and_is_documented() -> None:
    documented = (ROOT / "docs" / "settings.md").read_text("utf-8")
    for name, trait in JupyterAssistant.class_traits(config=True).items():
        if name == "log":
            continue
        assert trait.help, name
        assert f"`{name}`" in documented, name


def test_secrets_of_the_environment_and_of_the_server_are_known_for_redaction(tmp_path: Path) -> None:
    environ = {"DB_PASSWORD": "correct-horse", "HF_TOKEN": "hf-battery", "TOKENIZERS_PARALLELISM": "false-alarm"}
    made = Settings(JupyterAssistant(data_dir=str(tmp_path)), environ, known=("server-token", ""))
    assert set(made.secrets()) == {"correct-horse", "hf-battery", "server-token"}


@pytest.mark.parametrize("name", ["a\nb", "x" * 513])
def test_a_model_that_no_question_could_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        settings(tmp_path).change({"model": name})
    assert raised.value.text.startswith("model: must be at most 512 printable characters")


def test_a_refused_setting_is_said_without_the_machinery(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as raised:
        settings(tmp_path).change({"max_tokens": -1})
    assert raised.value.text.startswith("max_tokens: should not be less than 0")


def test_a_file_nested_beyond_reading_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("[" * 100_000)
    with pytest.raises(SettingsUnavailable, match="set aside"):
        settings(tmp_path)


def test_embeddings_are_off_until_their_address_and_model_are_set(tmp_path: Path) -> None:
    made = settings(tmp_path, {"JUPYTER_ASSISTANT_BASE_URL": "http://h/v1", "JUPYTER_ASSISTANT_API_KEY": "sk-chat"})
    assert made.embeddings() is None
    made.change({"embeddings_base_url": "http://e/v1"})
    assert made.embeddings() is None
    made.change({"embeddings_model": "near"})
    found = made.embeddings()
    assert found is not None
    assert (found.base_url, found.model, found.api_key) == ("http://e/v1", "near", "")


def test_the_environment_configures_embeddings_and_their_key_is_taken_out(tmp_path: Path) -> None:
    environ = {
        "JUPYTER_ASSISTANT_EMBEDDINGS_BASE_URL": "http://e/v1",
        "JUPYTER_ASSISTANT_EMBEDDINGS_API_KEY": "sk-embed-123",
        "JUPYTER_ASSISTANT_EMBEDDINGS_MODEL": "near",
    }
    made = settings(tmp_path, environ, locked=["embeddings_model"])
    found = made.embeddings()
    assert "JUPYTER_ASSISTANT_EMBEDDINGS_API_KEY" not in environ
    assert found is not None
    assert (found.base_url, found.model, found.api_key) == ("http://e/v1", "near", "sk-embed-123")
    assert "sk-embed-123" in made.secrets()
    assert made.shown()["settings"]["embeddings_api_key"] is True
    with pytest.raises(InvalidInput):
        made.change({"embeddings_model": "other"})
    made.change({"embeddings_base_url": "http://mine/v1"})
    mine = made.embeddings()
    assert mine is not None
    assert mine.api_key == ""  # the environment's key was given for another address


def test_the_chats_key_serves_embeddings_at_the_same_address_only(tmp_path: Path) -> None:
    made = settings(tmp_path)
    made.change({"base_url": "http://h/v1", "api_key": "sk-chat", "embeddings_model": "near"})
    made.change({"embeddings_base_url": "http://h/v1", "embeddings_api_key": "sk-own"})
    keys = [made.embeddings()]
    made.change({"embeddings_api_key": None})
    keys.append(made.embeddings())
    made.change({"embeddings_base_url": "http://other/v1"})
    keys.append(made.embeddings())
    assert [key.api_key for key in keys if key] == ["sk-own", "sk-chat", ""]
