"""Secrets leave no text: the kinds of SECURITY 3.L, known values, and what must stay as it is."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_assistant.context import Redactor

EXAMPLES = Path(__file__).parent.parent / "examples"
HEX = "0123456789abcdef0123456789abcdef0123456789abcdef"
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
MIXED = "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9fG1hJ3"

CANARIES = {
    "OpenAI legacy": "sk-" + MIXED,
    "OpenAI project": "sk-proj-" + MIXED + "_" + MIXED,
    "OpenRouter": "sk-or-v1-" + HEX,
    "Anthropic": "sk-ant-api03-" + MIXED + "-AA",
    "GitHub classic": "ghp_" + MIXED[:36],
    "GitHub fine-grained": "github_pat_11ABCDEFG0" + MIXED,
    "AWS": "AKIAIOSFODNN7EXAMPLE",
    "Slack": "xoxb-123456789012-1234567890123-" + MIXED[:24],
    "Hugging Face": "hf_" + MIXED[:34].replace("_", "a"),
    "Google": "AIzaSy" + MIXED[:33],
    "JWT": JWT,
    "XSRF": "2|1a2b3c4d|0123456789abcdef0123456789abcdef|1700000000",
    "cookie": "2|1:0|10:1700000000|23:username-localhost-8888|44:eyJ1c2VybmFtZSI6ICJhIn0=|" + HEX + HEX[:16],
}


@pytest.mark.parametrize("kind", CANARIES)
@pytest.mark.parametrize("around", ["{}", "key is {} there", 'x = "{}"', "(`{}`)", "a\n{}\nb"])
def test_secret_is_taken_out_wherever_it_stands(kind: str, around: str) -> None:
    secret = CANARIES[kind]
    text, found = Redactor()(around.format(secret))
    assert secret not in text
    assert secret[12:] not in text
    assert "[redacted: " in text
    assert found >= 1


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("postgres://bob:hunter2@db.example/x", "hunter2"),
        ("https://user:p-w.d@example.org/", "p-w.d"),
        (f"http://localhost:8888/lab?token={HEX}", HEX),
        (f"http://localhost:8888/?reset&token={HEX}&x=1", HEX),
        ('API_KEY = "abcd1234efgh"', "abcd1234efgh"),
        ("DB_PASSWORD=hunter2hunter2", "hunter2hunter2"),
        ("export FOO_TOKEN=abc-def-123", "abc-def-123"),
        ("env: MY_SECRET=abcd1234", "abcd1234"),
        ('os.environ["SERVICE_TOKEN"] = "abcdefghij"', "abcdefghij"),
        ('os.getenv("MY_API_KEY", "fallback-1234")', "fallback-1234"),
        ("client(api_key='abcd1234efgh')", "abcd1234efgh"),
        ('{"password": "hunter2!"}', "hunter2!"),
        ('{\\"client_secret\\": \\"abcdef12345\\"}', "abcdef12345"),
        ("accessToken: 'abcdefghij'", "abcdefghij"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI"),
        ("password: str = 'correct horse battery'", "correct horse battery"),
        ("headers={'Authorization': 'Bearer abcdef123456789'}", "abcdef123456789"),
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"),
        ('if password == "hunter2hunter2":', "hunter2hunter2"),
    ],
)
def test_value_of_a_telling_name_is_taken_out(text: str, secret: str) -> None:
    clean, found = Redactor()(text)
    assert secret not in clean
    assert found == 1


@pytest.mark.parametrize("kind", ["RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", ""])
@pytest.mark.parametrize("newline", ["\n", "\\n"])
def test_private_key_is_taken_out_whole(kind: str, newline: str) -> None:
    body = newline.join([MIXED + "ABCDEFGHIJKLMNOP"] * 6)
    pem = f"-----BEGIN {kind}PRIVATE KEY-----{newline}{body}{newline}-----END {kind}PRIVATE KEY-----"
    text, found = Redactor()(f'key = """{pem}""" # end')
    assert MIXED[:10] not in text
    assert text.endswith('""" # end')
    assert found == 1


def test_private_key_without_an_end_is_taken_out() -> None:
    pem = "-----BEGIN PRIVATE KEY-----\n" + "\n".join([MIXED + "ABCDEFGHIJKLMNOP"] * 6)
    text, _ = Redactor()(pem + "\nprint('the rest stays')")
    assert MIXED[:10] not in text
    assert "the rest stays" in text


def test_known_values_are_taken_out_and_short_ones_ignored() -> None:
    text, found = Redactor(["plain-words-as-a-key", "short", "", "plain-words"])(
        "a plain-words-as-a-key b short plain-words"
    )
    assert text == "a [redacted: secret] b short [redacted: secret]"
    assert found == 2


@pytest.mark.parametrize(
    "text",
    [
        'key="customer_id"',
        'sort_key = "customer_2024_revenue_total"',
        'monkey = "abcdefgh12345678"',
        'keys = ["api_key", "password", "order_total_2024"]',
        'pad_token = "<|endoftext|>"',
        'eos_token="</sentence>"',
        'token = "sentence"',
        'tokenizer = "bert-base-uncased-1234"',
        "max_tokens = 4096",
        "password = getpass.getpass()",
        'api_key = os.environ["OPENAI_API_KEY"]',
        "API_KEY = config.api_key_v2",
        "API_KEY=DEFAULT_KEY",
        'f"postgres://{user}:{password}@{host}/db"',
        "https://example.org/a:b@c",
        '<div class="sk-toggleable__content sk-estimator-doc-link sk-label-container">',
        'df.rename(columns={"key": "identifier", "token": "word"})',
        'df.merge(other, on="key", how="left")',
        'primary_key = "order_identifier"',
        "hash 640b730932e3",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAA",
        "bearer of bad news",
    ],
)
def test_ordinary_code_stays_as_it_is(text: str) -> None:
    assert Redactor()(text) == (text, 0)


def test_nothing_is_redacted_in_the_examples() -> None:
    for path in sorted(EXAMPLES.glob("*.ipynb")):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            for text in ("".join(cell["source"]), json.dumps(cell.get("outputs", []))):
                assert Redactor()(text) == (text, 0), path.name


_ASSIGNED = ["{}", 'password = "{}"', "API_KEY={}", "?token={}", "://user:{}@host", "Authorization: Bearer {}"]


@given(st.lists(st.sampled_from([each.format(secret) for each in _ASSIGNED for secret in CANARIES.values()])))
def test_redacting_twice_changes_nothing(lines: list[str]) -> None:
    once, _ = Redactor()("\n".join(lines))
    assert Redactor()(once) == (once, 0)


@given(st.text(max_size=400))
def test_any_text_is_redacted_without_error(text: str) -> None:
    Redactor(["known value"])(text)


@pytest.mark.parametrize(
    "unit",
    [
        *("sk-", "eyJ", "eyJaaaaaaaa.", "://a:", "://", "A_", "API_", "TOKEN", "2|1:0|10:", "?key=", "AKIA", "ghp_"),
        *('key="', "token='", "password=", 'password="\\', "key:      ", "_key", "Authorization: ", "a", "\n", "\\n"),
        *("-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\nAAAAAAAAAAAAAAAA"),
    ],
)
def test_time_is_linear_in_hostile_text(unit: str) -> None:
    text = (unit * (1_000_000 // len(unit) + 1))[:1_000_000]
    started = time.perf_counter()
    Redactor()(text)
    Redactor()("key token sk- eyJ -----BEGIN PRIVATE KEY-----" + text)
    assert time.perf_counter() - started < 5, "a quadratic pattern takes minutes for this"
