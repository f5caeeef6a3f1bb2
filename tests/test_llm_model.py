"""A model over a real scripted gateway: every fault ends in the right events, and nothing is left open."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import aclosing

import pytest

from jupyter_assistant.errors import ProviderError
from jupyter_assistant.llm import Client, GatewayModel, Options, Provider
from jupyter_assistant.messages import Finish, Message, ModelEvent, Reasoning, Status, Token, Usage
from tests.gateway import MARKDOWN, Gateway, Reply, Request

KEY = "sk-canary-0123456789abcdef"
QUESTION = [Message("user", "one two three")]


@pytest.fixture
def client(jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[Client]:
    """A client with short times."""
    made = Client(connect_timeout=2.0, idle_timeout=1.0, pause=0.01, longest_pause=0.05)
    yield made
    jp_asyncio_loop.run_until_complete(made.close())


def provider(gateway: Gateway, url: str | None = None) -> Provider:
    return Provider("gateway", "Scripted", url or gateway.url, KEY)


class Asked:
    """What came of a question: events, the error if there was one, and what ``seen`` was told."""

    def __init__(self, events: list[ModelEvent], error: ProviderError | None, seen: list[str | None]) -> None:
        self.events = events
        self.error = error
        self.seen = seen

    @property
    def code(self) -> str | None:
        return self.error.code if self.error else None

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Token))

    @property
    def thought(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Reasoning))

    @property
    def waits(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Status)]


async def ask(
    client: Client,
    asked: Provider,
    model: str,
    options: Options = Options(),  # noqa: B008  (frozen)
    refusals: dict[str, frozenset[str]] | None = None,
    question: Sequence[Message] = QUESTION,
) -> Asked:
    seen: list[str | None] = []
    made = GatewayModel(
        asked,
        model,
        client,
        options,
        {} if refusals is None else refusals,
        lambda error: seen.append(error.code if error else None),
    )
    events: list[ModelEvent] = []
    try:
        async for event in made.stream(question):
            events.append(event)
    except ProviderError as error:
        return Asked(events, error, seen)
    assert isinstance(events[-1], Finish)
    assert sum(isinstance(event, Finish) for event in events) == 1
    return Asked(events, None, seen)


# Answers.


@pytest.mark.parametrize("pace", ["", "@bytes"])
async def test_an_answer_streams_with_its_usage_and_end(client: Client, gateway: Gateway, pace: str) -> None:
    asked = await ask(client, provider(gateway), f"markdown{pace}")
    assert asked.text == MARKDOWN
    assert isinstance(asked.events[-2], Usage)
    assert (asked.events[-2].input_tokens, asked.events[-2].output_tokens) == (11, 60)
    assert asked.events[-2].seconds > 0
    assert asked.seen == [None]


@pytest.mark.parametrize("pace", ["", "@bytes"])
@pytest.mark.parametrize("model", ["reasoning", "reasoning-reasoning_content", "think"])
async def test_reasoning_is_told_apart(client: Client, gateway: Gateway, model: str, pace: str) -> None:
    asked = await ask(client, provider(gateway), model + pace)
    assert (asked.thought, asked.text) == ("Let me think.", "The answer.")


async def test_the_request_is_what_gateways_expect(client: Client, gateway: Gateway) -> None:
    await ask(client, provider(gateway), "echo", Options(max_tokens=9))
    sent = gateway.requests[0]
    assert sent.path == "/v1/chat/completions"
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.headers["accept"] == "text/event-stream"
    assert sent.headers["accept-encoding"] == "identity"
    assert sent.json["max_tokens"] == 9


@pytest.mark.parametrize("name", ["echo", "meta/llama-3:free", "Ünïcödé モデル", "a b", "x" * 512])
async def test_a_models_name_is_sent_verbatim(client: Client, gateway: Gateway, name: str) -> None:
    await ask(client, provider(gateway), name)
    assert gateway.requests[0].json["model"] == name


async def test_text_of_any_kind_arrives_as_it_was_sent(client: Client, gateway: Gateway) -> None:
    text = 'é€😀\u2028\u0085\0"\\ \n\r\n\ttab'
    asked = await ask(client, provider(gateway), "echo", question=[Message("user", text)])
    assert asked.text == text


@pytest.mark.parametrize("pace", ["", "@bytes"])
@pytest.mark.parametrize(
    ("name", "text"),
    [("cr", "Grüße 😀"), ("crlf", "Grüße 😀"), ("bom", "Grüße 😀"), ("invalid", "a\ufffdb"), ("lines", "one")],
)
async def test_a_declared_charset_and_odd_line_ends_change_nothing(
    client: Client, gateway: Gateway, name: str, text: str, pace: str
) -> None:
    assert (await ask(client, provider(gateway), f"bytes-{name}{pace}")).text == text


async def test_answers_share_one_connection(client: Client, gateway: Gateway) -> None:
    for _ in range(3):
        await ask(client, provider(gateway), "echo")
    assert gateway.connections == 1


async def test_a_hundred_and_fifty_answers_stream_at_once(gateway: Gateway) -> None:
    client = Client()
    everyone = 150
    waiting = 0
    all_here = asyncio.Event()

    @gateway.play("together")
    async def together(reply: Reply, request: Request) -> None:
        nonlocal waiting
        await reply.head()
        waiting += 1
        if waiting == everyone:
            all_here.set()
        await all_here.wait()
        await reply.delta(content="all here")
        await reply.finish()

    answers = await asyncio.gather(*(ask(client, provider(gateway), "together") for _ in range(everyone)))
    await client.close()
    assert {answer.text for answer in answers} == {"all here"}


async def test_a_whole_answer_to_a_stream_request_is_read(client: Client, gateway: Gateway) -> None:
    asked = await ask(client, provider(gateway), "whole")
    assert (asked.thought, asked.text) == ("Hm.", "All at once.")


@pytest.mark.parametrize("pace", ["", "@bytes"])
@pytest.mark.parametrize("model", ["no-done", "no-done-cut", "done-unended", "after-done"])
async def test_an_answer_with_a_finish_reason_is_whole_whatever_follows(
    client: Client, gateway: Gateway, model: str, pace: str
) -> None:
    asked = await ask(client, provider(gateway), model + pace)
    assert (asked.text, asked.code) == ("Complete.", None)


async def test_a_compressed_answer_is_read(client: Client, gateway: Gateway) -> None:
    assert (await ask(client, provider(gateway), "gzip")).text == "Unpacked."


async def test_a_line_of_a_megabyte_is_read_and_five_are_too_much(client: Client, gateway: Gateway) -> None:
    assert len((await ask(client, provider(gateway), "line-1000000")).text) == 1_000_000
    assert (await ask(client, provider(gateway), "line-5000000")).code == "gateway_failed"


async def test_a_million_empty_events_are_passed_over_and_the_loop_runs_on(client: Client, gateway: Gateway) -> None:
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    asked = await ask(client, provider(gateway), "empty-events-1000000")
    turning.cancel()
    assert asked.text == "At last."
    assert turns > 50


async def test_tool_calls_are_passed_over(client: Client, gateway: Gateway) -> None:
    asked = await ask(client, provider(gateway), "events-tool_calls")
    assert asked.text == "one"
    assert "tools" not in gateway.requests[0].json


@pytest.mark.parametrize(
    ("model", "code"),
    [("finish-length", None), ("finish-mystery", None), ("finish-content_filter", "request_rejected")],
)
async def test_finish_reasons(client: Client, gateway: Gateway, model: str, code: str | None) -> None:
    asked = await ask(client, provider(gateway), model)
    assert (asked.text, asked.code) == ("Some text", code)


# Failures.


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("status-400", "request_rejected"),
        ("status-401", "key_rejected"),
        ("status-402", "quota_exceeded"),
        ("status-403", "permission_denied"),
        ("status-404", "endpoint_not_found"),
        ("status-408", "gateway_timeout"),
        ("status-413", "request_rejected"),
        ("status-500", "gateway_failed"),
        ("no-such-model", "model_not_found"),
        ("too-long", "context_too_long"),
        ("no-quota", "quota_exceeded"),
        ("redirect", "not_a_gateway"),
        ("html", "not_a_gateway"),
        ("no-type", "not_a_gateway"),
        ("json", "not_a_gateway"),
        ("json-list", "not_a_gateway"),
        ("json-error", "gateway_failed"),
        ("json-endpoint", "endpoint_not_found"),
        ("gzip-br", "not_a_gateway"),
        ("gzip-br-401", "key_rejected"),
        ("garbage", "not_a_gateway"),
        ("bomb", "gateway_failed"),
        ("bomb-error", "gateway_failed"),
        ("stall", "gateway_timeout"),
    ],
)
async def test_a_refusal_is_one_error_asked_for_once(client: Client, gateway: Gateway, model: str, code: str) -> None:
    asked = await ask(client, provider(gateway), model)
    assert (asked.code, asked.events) == (code, [])
    assert len(gateway.posts) == 1
    assert asked.seen[-1] == code
    said = f"{asked.error!r} {asked.error and asked.error.hint}"
    assert "LOGIN-PAGE" not in said
    assert "canary" not in said


@pytest.mark.parametrize("pace", ["", "@bytes"])
@pytest.mark.parametrize(
    ("model", "code", "text"),
    [
        ("cut", "gateway_cut", "Half an answer"),
        ("cut-line", "gateway_cut", "Half an answer"),
        ("cut-line-late", "gateway_cut", "Half an answer"),
        ("cut-clean", "gateway_cut", "Half an answer"),
        ("cut-clean-done", "gateway_cut", "Half an answer"),
        ("reset-mid", "gateway_cut", "Half an answer"),
        ("stall-mid", "gateway_timeout", "Half an"),
        ("drip", "gateway_timeout", "Half an"),
        ("events-error", "gateway_failed", "Half"),
        ("events-error_429", "rate_limited", "Half"),
        ("events-three_bad", "gateway_failed", "one"),
    ],
)
async def test_what_had_come_before_a_failure_is_kept_and_not_asked_for_again(
    client: Client, gateway: Gateway, model: str, code: str, text: str, pace: str
) -> None:
    asked = await ask(client, provider(gateway), model + pace)
    assert (asked.code, asked.text) == (code, text)
    assert len(gateway.posts) == 1


async def test_an_answer_has_an_end_though_its_lines_go_on(gateway: Gateway) -> None:
    client = Client(idle_timeout=5.0, answer_timeout=0.3)
    asked = await ask(client, provider(gateway), "heartbeats-100000")
    await client.close()
    assert asked.code == "gateway_timeout"


async def test_heartbeats_keep_a_slow_answer_alive(gateway: Gateway) -> None:
    client = Client(idle_timeout=0.5)
    asked = await ask(client, provider(gateway), "heartbeats-50")
    await client.close()
    assert asked.text == "At last."


async def test_a_missing_v1_is_said_with_the_mended_address(client: Client, gateway: Gateway) -> None:
    asked = await ask(client, provider(gateway, gateway.root), "echo")
    assert asked.code == "endpoint_not_found"
    assert asked.error is not None
    assert asked.error.hint == f"Add /v1 to the base URL: {gateway.url}"


async def test_a_port_where_nobody_listens_is_down(client: Client, gateway: Gateway) -> None:
    asked = await ask(client, Provider("gateway", "x", f"http://127.0.0.1:{await free_port()}/v1"), "echo")
    assert asked.code == "gateway_down"
    assert len(asked.waits) == 2
    assert asked.error is not None
    assert "refuses" in asked.error.text


async def test_a_host_that_does_not_exist_is_down_at_once(client: Client) -> None:
    asked = await ask(client, Provider("gateway", "x", "http://gateway.invalid/v1"), "echo")
    assert (asked.code, asked.waits) == ("gateway_down", [])
    assert asked.error is not None
    assert asked.error.text == "There is no host gateway.invalid."


async def test_a_server_without_tls_behind_https_is_down_at_once(client: Client, gateway: Gateway) -> None:
    asked = await ask(client, provider(gateway, f"https://127.0.0.1:{gateway.port}/v1"), "echo")
    assert asked.code == "gateway_down"
    assert asked.waits == []
    assert asked.error is not None
    assert "TLS" in asked.error.text


@pytest.mark.parametrize(
    "url", ["localhost:1/v1", "http://exa mple/v1", "http://\u0001/v1", "http://" + "a" * 300 + "/v1"]
)
async def test_an_address_that_is_none_is_an_error_of_ours(client: Client, gateway: Gateway, url: str) -> None:
    asked = await ask(client, provider(gateway, url), "echo")
    assert asked.code in ("endpoint_not_found", "gateway_down")


async def free_port() -> int:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


# Trying again.


@pytest.mark.parametrize(
    "model", ["flaky-429-2", "flaky-502-1", "flaky-503-2", "flaky-504-1", "flaky-529-1", "flaky-date"]
)
async def test_what_may_pass_is_tried_again_and_said(client: Client, gateway: Gateway, model: str) -> None:
    asked = await ask(client, provider(gateway), model)
    assert asked.text == "one two three"
    assert len(asked.waits) == len(gateway.posts) - 1 > 0
    assert all(wait.endswith("Trying again now…") for wait in asked.waits)
    assert asked.seen == [None]


async def test_a_connection_dropped_before_the_first_byte_is_tried_again(client: Client, gateway: Gateway) -> None:
    assert (await ask(client, provider(gateway), "flaky-drop")).text == "one two three"


@pytest.mark.parametrize(
    ("model", "code"), [("status-429", "rate_limited"), ("status-503", "gateway_failed"), ("drop", "gateway_down")]
)
async def test_trying_again_ends_after_three_attempts(client: Client, gateway: Gateway, model: str, code: str) -> None:
    asked = await ask(client, provider(gateway), model)
    assert asked.code == code
    assert len(gateway.posts) == 3
    assert len(asked.waits) == 2


async def test_a_long_retry_after_is_capped_and_passed_on(client: Client, gateway: Gateway) -> None:
    asked = await ask(client, provider(gateway), "status-429-99999")
    assert len(gateway.posts) == 3
    assert asked.error is not None
    assert asked.error.retry_after == 99999


async def test_the_wait_is_shown_before_it_is_waited(gateway: Gateway) -> None:
    client = Client()
    model = GatewayModel(provider(gateway), "status-429-12", client, Options(), {}, lambda error: None)
    async with aclosing(model.stream(QUESTION)) as events:
        assert await anext(events) == Status("Rate limited. Trying again in 13 s…")
    await client.close()


@pytest.mark.parametrize("model", ["no-stream-options", "no-stream-options-silently"])
async def test_a_gateway_without_stream_options_is_asked_without_and_remembered(
    client: Client, gateway: Gateway, model: str
) -> None:
    refusals: dict[str, frozenset[str]] = {}
    for _ in range(2):
        assert (await ask(client, provider(gateway), model, refusals=refusals)).text == "one two three"
    assert ["stream_options" in request.json for request in gateway.posts] == [True, False, False]


async def test_a_model_that_wants_the_other_name_of_max_tokens_gets_it(client: Client, gateway: Gateway) -> None:
    assert (await ask(client, provider(gateway), "no-max-tokens", Options(max_tokens=5))).text == "one two three"
    assert gateway.posts[1].json["max_completion_tokens"] == 5


# Leaving.


@pytest.mark.parametrize("model", ["paced-999-20", "stall-mid"])
async def test_closing_the_stream_closes_the_connection_at_once(client: Client, gateway: Gateway, model: str) -> None:
    before = asyncio.all_tasks()
    stream = GatewayModel(provider(gateway), model, client, Options(), {}, lambda error: None).stream(QUESTION)
    assert isinstance(await anext(stream), Token)
    await stream.aclose()
    assert asyncio.all_tasks() == before
    await gateway.wait_disconnected(timeout=1.0)
    await gateway.until(lambda gateway: gateway.open == 0, timeout=1.0)


@pytest.mark.parametrize("model", ["paced-999-20", "stall-mid", "stall"])
async def test_cancelling_the_reader_closes_the_connection_at_once(
    client: Client, gateway: Gateway, model: str
) -> None:
    task = asyncio.create_task(ask(client, provider(gateway), model))
    await gateway.until(lambda gateway: gateway.posts)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await gateway.wait_disconnected(timeout=1.0)
    assert task.cancelled()


async def test_a_wait_between_attempts_can_be_cancelled(gateway: Gateway) -> None:
    client = Client()
    task = asyncio.create_task(ask(client, provider(gateway), "status-429-20"))
    await gateway.until(lambda gateway: gateway.posts)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await client.close()
    assert len(gateway.posts) == 1


async def test_leaving_one_answer_leaves_the_others(client: Client, gateway: Gateway) -> None:
    other = asyncio.create_task(ask(client, provider(gateway), "paced-20-100"))
    stream = GatewayModel(provider(gateway), "paced-999-20", client, Options(), {}, lambda error: None).stream(QUESTION)
    await anext(stream)
    await stream.aclose()
    assert len((await other).text.split()) == 20


async def test_nothing_is_left_when_the_client_is_closed(gateway: Gateway) -> None:
    before = asyncio.all_tasks()
    client = Client()
    for model in ("echo", "cut", "html", "status-500"):
        await ask(client, provider(gateway), model)
    await client.close()
    await gateway.until(lambda gateway: gateway.open == 0, timeout=1.0)
    assert asyncio.all_tasks() == before
    assert not any(logging.getLogger(name).filters for name in ("httpx", "httpcore.http11"))


# Secrets.


@pytest.mark.parametrize(
    "model", ["echo", "status-400", "status-401", "status-429", "html", "cut", "redirect", "reset-mid"]
)
async def test_the_key_is_in_no_log_and_no_error(
    client: Client, gateway: Gateway, model: str, caplog: pytest.LogCaptureFixture
) -> None:
    @gateway.play("key-in-header")
    async def key_in_header(reply: Reply, request: Request) -> None:
        await reply.error(400, "no", X_Echo=request.headers["authorization"])

    asked = provider(gateway, f"{gateway.url}?api_key={KEY}&sig=signature99")
    with caplog.at_level(logging.DEBUG):
        errors = [(await ask(client, asked, name)).error for name in (model, "key-in-header")]
    assert "HTTP Request: POST" in caplog.text
    assert "signature99" not in caplog.text
    for error in errors:
        said = _everything(error)
        assert "canary" not in said + caplog.text
        assert "signature99" not in said


def _everything(error: BaseException | None) -> str:
    """Every text of an error and of what caused it."""
    said = ""
    while error is not None:
        said += f"{error!r} {error} "
        error = error.__cause__ or error.__context__
    return said


async def test_a_key_that_cannot_be_sent_is_an_error_that_does_not_repeat_it(client: Client, gateway: Gateway) -> None:
    bad = Provider("gateway", "Scripted", gateway.url, f"{KEY}\r\nX-Evil: 1")
    asked = await ask(client, bad, "echo")
    assert asked.code == "key_rejected"
    assert "canary" not in _everything(asked.error)
    assert gateway.requests == []


async def test_a_redirect_is_not_followed(client: Client, gateway: Gateway) -> None:
    @gateway.play("loop")
    async def loop(reply: Reply, request: Request) -> None:
        await reply.whole(307, None, b"", Location=gateway.url + "/models")

    assert (await ask(client, provider(gateway), "loop")).code == "not_a_gateway"
    assert len(gateway.requests) == 1
