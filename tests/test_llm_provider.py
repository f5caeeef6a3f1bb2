"""Addresses and keys: what is sent, and what is never said."""

from __future__ import annotations

import pytest

from jupyter_assistant.errors import EndpointNotFound, KeyRejected
from jupyter_assistant.llm.provider import LOCAL_SERVERS, Provider

KEY = "sk-canary-0123456789abcdef"


def provider(base_url: str = "https://api.example.com/v1", key: str = KEY) -> Provider:
    return Provider("gateway", "Example", base_url, key)


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://api.example.com/v1", "https://api.example.com/v1/models"),
        ("https://api.example.com/v1/", "https://api.example.com/v1/models"),
        (" http://localhost:11434 ", "http://localhost:11434/models"),
        ("https://x.example/openai/v1?api-version=preview", "https://x.example/openai/v1/models?api-version=preview"),
        ("https://api.example.com/v1/chat/completions", "https://api.example.com/v1/models"),
        ("http://user:secret@h.example/v1#top", "http://h.example/v1/models"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1/models"),
    ],
)
def test_a_path_is_put_behind_the_base_url(base_url: str, url: str) -> None:
    assert provider(base_url).url("models") == url


@pytest.mark.parametrize(
    "base_url", ["localhost:11434/v1", "ftp://x/v1", "http://", "http://x:port/v1", "", "http://[x"]
)
def test_what_is_no_web_address_is_said_with_an_example(base_url: str) -> None:
    with pytest.raises(EndpointNotFound) as raised:
        provider(base_url).url("models")
    assert "http://localhost:11434/v1" in raised.value.hint
    assert provider(base_url).shown_url == ""


def test_the_key_travels_as_bearer_without_pasted_space() -> None:
    assert provider(key=f" {KEY}\n").headers() == {"Authorization": f"Bearer {KEY}"}
    assert provider(key="").headers() == {}


def test_a_user_name_and_password_of_the_address_travel_as_basic() -> None:
    assert provider("http://user:pa%20ss@h.example/v1", "").headers() == {"Authorization": "Basic dXNlcjpwYSBzcw=="}


@pytest.mark.parametrize("key", ["sk-a\nb", "sk-clé", "two words", "a\tb", "“sk-quoted”"])
def test_a_key_that_no_header_can_carry_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(KeyRejected) as raised:
        provider(key=key).headers()
    assert key not in raised.value.text + raised.value.hint


def test_no_secret_is_in_repr_host_or_shown_url() -> None:
    secretive = provider(f"https://user:hunter2hunter2@h.example:8443/v1?key={KEY}&n=1")
    said = repr(secretive) + secretive.host + secretive.shown_url
    assert KEY not in said
    assert "hunter2" not in said
    assert secretive.host == "h.example:8443"
    assert secretive.shown_url == "https://h.example:8443/v1"


def test_secrets_are_taken_out_of_a_text() -> None:
    secretive = provider("https://user:hunter2hunter2@h.example/v1?sig=signature99", "my-own-kind-of-key")
    text = "my-own-kind-of-key hunter2hunter2 signature99 sk-proj-0123456789abcdef Bearer abcdefghijkl n=1"
    assert secretive.redacted(text) == "[hidden] [hidden] [hidden] [hidden] [hidden] n=1"


def test_placeholder_keys_of_local_servers_are_no_secret() -> None:
    assert provider(key="EMPTY").redacted("the list is EMPTY") == "the list is EMPTY"


@pytest.mark.parametrize("base_url", ["http://h/v1", "http://h/v1beta/openai", "http://h/openai/v1/"])
def test_a_version_in_the_address_is_seen(base_url: str) -> None:
    assert provider(base_url).versioned
    assert not provider("http://h/api").versioned


def test_local_servers_are_on_loopback_and_at_their_usual_ports() -> None:
    assert [(local.name, local.host) for local in LOCAL_SERVERS] == [
        ("ollama", "127.0.0.1:11434"),
        ("lmstudio", "127.0.0.1:1234"),
        ("llamacpp", "127.0.0.1:8080"),
        ("vllm", "127.0.0.1:8000"),
    ]
