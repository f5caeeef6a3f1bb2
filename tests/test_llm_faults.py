"""Refusals as gateways send them: the right error, a sentence that names the host, one next step, no secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_assistant.llm.faults import Refusal, broken, complaint_of, not_a_gateway, refused, retry_after
from jupyter_assistant.llm.provider import Provider

KEY = "sk-canary-0123456789abcdef"
GATEWAY = Provider("gateway", "Example", "https://user:hunter2hunter2@api.example.com/v1", KEY)
BARE = Provider("gateway", "Ollama", "http://localhost:11434", "")


def refusal(status: int, body: Any = None, **headers: str) -> Refusal:
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return Refusal(status, headers, raw)


def said(message: str, code: str | None = None, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "code": code, **more}}


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, None, "request_rejected"),
        (400, said("Too many tokens", "context_length_exceeded"), "context_too_long"),
        (400, said("This model's maximum context length is 4096 tokens."), "context_too_long"),
        (400, {"error": {"message": "the request exceeds the available context size"}}, "context_too_long"),
        (400, said("foo/bar is not a valid model ID"), "model_not_found"),
        (
            400,
            [{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}}],
            "key_rejected",
        ),
        (400, said("This model does not support image input"), "request_rejected"),
        (401, said("Incorrect API key provided", "invalid_api_key"), "key_rejected"),
        (402, said("Insufficient credits"), "quota_exceeded"),
        (403, said("Country not supported"), "permission_denied"),
        (404, None, "endpoint_not_found"),
        (404, b"404 page not found", "endpoint_not_found"),
        (404, said("The model `x` does not exist", "model_not_found"), "model_not_found"),
        (404, {"error": 'model "x" not found, try pulling it first'}, "model_not_found"),
        (404, {"object": "error", "message": "The model `x` does not exist.", "code": 404}, "model_not_found"),
        (404, said("No endpoints found for x."), "model_not_found"),
        (405, {"detail": "Method Not Allowed"}, "endpoint_not_found"),
        (408, None, "gateway_timeout"),
        (413, None, "request_rejected"),
        (413, said("Input is too long"), "context_too_long"),
        (422, {"detail": [{"loc": ["body", "x"], "msg": "Extra inputs are not permitted"}]}, "request_rejected"),
        (429, said("Slow down", "rate_limit_exceeded"), "rate_limited"),
        (429, said("You exceeded your current quota", "insufficient_quota"), "quota_exceeded"),
        (500, None, "gateway_failed"),
        (502, b"<html>Bad gateway</html>", "gateway_failed"),
        (503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, "gateway_failed"),
        (504, None, "gateway_failed"),
        (302, None, "not_a_gateway"),
        (204, None, "not_a_gateway"),
        (418, b"\xff\xfe", "request_rejected"),
    ],
)
def test_a_status_and_its_body_are_one_error(status: int, body: Any, code: str) -> None:
    error = refused(GATEWAY, "x", refusal(status, body))
    assert error.code == code
    assert "api.example.com" in error.text or "too long for x" in error.text
    assert error.hint


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 413, 429, 500, 502, 503, 504, 302])
def test_no_refusal_repeats_the_key_or_a_page(status: int) -> None:
    words = f"Key {KEY} (Bearer {KEY}) of user:hunter2hunter2 is wrong"
    for body in (said(words), {"error": words}, {"detail": words}, f"<html>{words}</html>".encode()):
        error = refused(GATEWAY, "x", refusal(status, body, location=f"https://evil.example/?key={KEY}"))
        for secret in (KEY, "hunter2", "canary", "<html>"):
            assert secret not in error.text + error.hint


def test_a_missing_v1_is_noticed_and_the_mended_address_given() -> None:
    error = refused(BARE, "llama", refusal(404, b"404 page not found"))
    assert error.hint == "Add /v1 to the base URL: http://localhost:11434/v1"
    assert "Add /v1" not in refused(GATEWAY, "x", refusal(404)).hint
    assert not_a_gateway(BARE, "text/html").hint == error.hint


def test_a_missing_key_is_told_from_a_wrong_one() -> None:
    assert "none is set" in refused(BARE, "x", refusal(401)).text
    assert "rejected" in refused(GATEWAY, "x", refusal(401)).text


def test_words_are_quoted_on_one_line_and_cut() -> None:
    error = refused(GATEWAY, "x", refusal(500, said("It\n\x1b[31mbroke\r\n" + "x" * 500)))
    quotation = error.text.partition(": ")[2]
    assert quotation.startswith("It [31mbroke xxx")
    assert len(quotation) == 200
    assert quotation.endswith("…")


def test_a_key_at_the_cut_is_not_quoted_in_part() -> None:
    assert "sk-can" not in refused(GATEWAY, "x", refusal(500, said("y" * 190 + f" {KEY}"))).text


def test_a_redirect_names_only_the_other_host() -> None:
    error = refused(GATEWAY, "x", refusal(302, None, location=f"https://sso.example/login?next={KEY}"))
    assert "https://sso.example" in error.hint
    assert "login" not in error.hint


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ({"error": {"message": "The engine has crashed", "type": "server_error"}}, "gateway_failed"),
        ({"error": {"code": 429, "message": "Slow down"}}, "rate_limited"),
        ({"error": {"code": "rate_limit_exceeded", "message": "Slow down"}}, "rate_limited"),
        ({"error": {"code": "insufficient_quota", "message": ""}}, "quota_exceeded"),
        ({"error": {"type": "invalid_request_error", "message": "no"}}, "request_rejected"),
        ({"error": {"type": "authentication_error", "message": "no"}}, "key_rejected"),
        ({"error": "maximum context length is 8"}, "context_too_long"),
        ({"error": {"type": "overloaded_error", "message": "Overloaded"}}, "gateway_failed"),
        ({"object": "error", "message": "CUDA out of memory", "code": 500}, "gateway_failed"),
        ({"error": "Unexpected endpoint or method. (POST /chat/completions)"}, "endpoint_not_found"),
        ({"error": True}, "gateway_failed"),
        ({"error": {"code": True, "message": ["odd"]}}, "gateway_failed"),
        ({"error": {"code": 200}}, "gateway_failed"),
    ],
)
def test_an_error_object_inside_an_answer_is_the_error_it_means(found: Any, code: str) -> None:
    assert broken(GATEWAY, "x", found).code == code


@pytest.mark.parametrize("body", [None, [], {}, "x", 3, {"error": []}, {"error": None}, [None], {"errors": [3]}])
def test_a_body_without_words_is_no_complaint(body: Any) -> None:
    assert complaint_of(body).message == ""


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("12", 12.0),
        (" 1.5 ", 1.5),
        ("99999", 99999.0),
        ("Thu, 01 Jan 1970 00:01:00 GMT", 30.0),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 0.0),
        ("-3", None),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("9" * 400, None),
        ("Thu, 99 Foo 0000", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, now=30.0) == seconds


def test_a_refusal_carries_how_long_to_wait() -> None:
    assert refused(GATEWAY, "x", refusal(429, None, **{"retry-after": "7"})).retry_after == 7.0
