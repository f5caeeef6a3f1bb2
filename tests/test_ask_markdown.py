"""What a notebook keeps of an answer: Markdown that anybody can read and that loads nothing."""

from __future__ import annotations

import re
from typing import Any

import nbconvert.filters
import pytest

from jupyter_assistant.kernel.answer import Answer
from jupyter_assistant.kernel.client.stream import Event
from jupyter_assistant.kernel.transcript import Transcript, blocks, closed, tame, value

RUN = ("run", {"run_id": "r", "conversation_id": "c", "model": "gateway/m"})


def told(*events: tuple[str, Any], **options: str) -> Transcript:
    transcript = Transcript(**options)
    for number, (name, data) in enumerate(events, 1):
        transcript.take(Event(number, name, data))
    return transcript


def token(text: str) -> tuple[str, Any]:
    return ("token", {"text": text})


def test_while_it_comes_the_status_then_the_thinking_then_the_text_is_shown() -> None:
    assert told(RUN, ("status", {"text": "Reading a.ipynb…"})).live() == "*Reading a.ipynb…*"
    thinking = told(RUN, ("reasoning", {"text": "Hmm,\nso"}))
    assert thinking.live() == "> *Thinking…*\n>\n> Hmm,\n> so"
    assert thinking.is_thinking
    answer = told(RUN, ("reasoning", {"text": "Hmm"}), token("It "), token("is."))
    assert answer.live() == "It is."
    assert "Hmm" not in answer.final(1.0)


def test_what_is_kept_names_the_model_the_time_and_links_to_the_sources() -> None:
    sources = [{"path": "a/b c.ipynb"}, {"path": "a/b c.ipynb"}, {"path": "a/deep/d[1].ipynb"}, {"title": "no path"}]
    kept = told(RUN, token("Yes."), ("sources", sources), ("done", {"reason": "stop"}), path="a/here.ipynb")
    assert kept.final(2.04) == (
        "Yes.\n\n*gateway/m · 2.0 s · from [b c.ipynb](b%20c.ipynb), [d\\[1\\].ipynb](deep/d%5B1%5D.ipynb)*"
    )


@pytest.mark.parametrize(("reason", "said"), [("cancelled", "(stopped)"), ("length", "(cut"), ("interrupted", "again")])
def test_an_answer_that_did_not_end_by_itself_says_so(reason: str, said: str) -> None:
    assert said in told(RUN, token("Half"), ("done", {"reason": reason})).final(1)


def test_an_error_is_said_with_what_to_do_and_the_text_stays() -> None:
    error = {"code": "gateway_down", "text": "It is <down>.", "hint": "Start it."}
    kept = told(RUN, token("Half"), ("error", error), ("done", {"reason": "error"})).final(1)
    assert kept.startswith("Half\n\n> **It is \\<down\\>.** Start it.")


def test_a_cut_code_block_is_closed_before_what_follows() -> None:
    kept = told(RUN, token("```python\nx = 1"), ("done", {"reason": "cancelled"})).final(1)
    assert kept.startswith("```python\nx = 1\n```\n\n*(stopped)*")
    assert closed("~~~~\na\n~~~") == "~~~~\na\n~~~\n~~~~"
    assert closed("```\na\n```") == "```\na\n```"


def test_only_the_code_is_shown_when_code_was_asked_for() -> None:
    text = "Here:\n```python\nx = 1\n```\nand\n```\ny\n```\ndone"
    code = told(RUN, token(text), format="code")
    assert code.live() == "```python\nx = 1\n\ny\n```"
    assert code.result == "x = 1\n\ny"
    assert told(RUN, token("x = 2\n"), format="code").result == "x = 2"


def test_json_is_read_from_a_block_or_from_the_text() -> None:
    assert value('So:\n```json\n{"a": [1]}\n```') == {"a": [1]}
    assert value(" [1, 2] ") == [1, 2]
    with pytest.raises(ValueError, match="JSON"):
        value("no json")


def test_blocks_are_found_with_their_languages_also_an_open_one() -> None:
    assert blocks("```py title=x\na\n```\n~~~\nb\n~~~\n````\n```\n````\n```r\nopen") == [
        ("py", "a"),
        ("", "b"),
        ("", "```"),
        ("r", "open"),
    ]


HARMLESS = [
    "plain *text* with `List<int>` and a < b and 1<2",
    "```html\n<img src=x> ![a](b)\n```",
    "$a<b$ and $$x<y$$",
    "<https://example.org/> and [link](https://example.org)",
    "wow! [link](x)",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_loads_nothing_stays_as_it_is(text: str) -> None:
    assert tame(text) == text


EVIL = "https://evil.example/x.png"
HOSTILE = [
    f"![a]({EVIL})",
    f"text ![a][r]\n\n[r]: {EVIL}",
    f"<img src='{EVIL}'>",
    f"<img\nsrc={EVIL}>",
    f"\\<img src={EVIL}>",
    f"\\![a]({EVIL})",
    f"\\\\<img src={EVIL}>",
    f"- a\n\n  ```\n![x]({EVIL})",
    f"$$\n```\n$$\n![x]({EVIL})",
    f"$$\n```\n$$\n![x]({EVIL})\n``` \n",
    f"a $x\n```\n$ ![x]({EVIL})",
    f"[a]: /u '\n```\n'\n![x]({EVIL})",
    f"` ![x]({EVIL}) `\n",
    f"a `\n` ![x]({EVIL}) `",
    f"| ` | ![x]({EVIL}) ` |\n|---|---|\n",
    f"\\` ![x]({EVIL}) `",
    f"<http://`> ![x]({EVIL}) `",
    f"- `\n- ![x]({EVIL}) `",
    f"> ```\n![x]({EVIL})",
    f"<svg><image href='{EVIL}'/></svg>",
    f"<!-- --><img src={EVIL}>",
    f"<style>@import '{EVIL}'</style>",
    f"`` ` `` <img src={EVIL}>",
    f"[![a]({EVIL})](x)",
    f"\\begin{{a}}\n```\n\\end{{a}}\n![x]({EVIL})",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_hostile_loads_when_it_is_rendered(text: str) -> None:
    page = nbconvert.filters.markdown2html(told(RUN, token(text), ("done", {"reason": "stop"})).final(1))
    tags = re.sub(r"<code[^>]*>.*?</code>", "", page, flags=re.DOTALL)
    assert not re.search(r"<(?:img|image|svg|style|iframe|video)\b", tags), page


@pytest.mark.parametrize("text", [*HARMLESS, *HOSTILE])
def test_a_text_is_tamed_the_same_whole_and_growing(text: str) -> None:
    assert tame(text) == [tame(text[:end]) for end in range(len(text) + 1)][-1]


def test_an_answer_shows_itself_as_markdown_and_as_text() -> None:
    answer = Answer.of(told(RUN, token(f"See ![a]({EVIL})\n```python\nx\n```"), ("done", {"reason": "stop"})))
    assert "![" not in answer._repr_markdown_()
    assert str(answer).startswith("See ![a]")
    assert (answer.code, answer.blocks, answer.reason) == ("x", [("python", "x")], "stop")
