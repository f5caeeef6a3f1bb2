"""The Markdown export, read back by a CommonMark parser: what is ours stays ours, whatever a model wrote."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from jupyter_assistant.conversations.markdown import contained, file_name, plain, rendered

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])

FRAGMENTS = (
    *("`", "``", "```", "```py", "````", "~~~", "\n", "\n\n", "\r", "    ", "   ", " ", "\t", "- ", "1. ", "> "),
    *("|", "|-|-|", "\n|-|\n", "<details>", "</details>", "<!--", "-->", "<script>", "<a@b.c>", "<http://x.y>"),
    *("![x](http://e/p.png)", "![", "[x]: http://e\n", "[x]", "\\", "#", "## You", "\n# ", "===", "---", "-", "="),
    *("word", "*", "_", "&lt;", "<?", "<![CDATA[", "]]>", "\u2028", "\x0b", "\x00", "](", "$$", "😀"),
)
NASTY = st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join)


def conversation(*parts: dict[str, Any], title: str = "Why?", state: str = "done", **fields: Any) -> dict[str, Any]:
    question = {"role": "user", "parts": [{"type": "text", "text": "Why?"}], "state": "done", "created": 0.0}
    answer = {"role": "assistant", "parts": list(parts), "state": state, "created": 60.0, "model": "p/m"} | fields
    return {"id": "0123456789abcdef", "title": title, "messages": [question, answer, question]}


def text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def reasoning(text: str) -> dict[str, Any]:
    return {"type": "reasoning", "text": text}


def tokens(markdown: str) -> Iterator[Token]:
    for token in GITHUB.parse(markdown):
        yield token
        yield from token.children or ()


def headings(markdown: str) -> list[str]:
    """The headings that are not inside of a list or a quote."""
    parsed = GITHUB.parse(markdown)
    pairs = itertools.pairwise(parsed)
    return [
        f"{token.tag} {after.content}" for token, after in pairs if token.type == "heading_open" and not token.level
    ]


def test_a_conversation_reads_as_one_document() -> None:
    source = {"title": "1 - Load [data]", "path": "a.ipynb", "url": "lab/tree/a b.ipynb#cell-id=(1)"}
    exported = rendered(
        conversation(
            reasoning("First, the data."),
            text("It divides by **zero**:\n\n```python\nx = 1 / 0\n```\n\nFix it."),
            {"type": "sources", "sources": [source]},
            {"type": "error", "code": "gateway_cut", "text": "The answer was cut.", "hint": "Ask again."},
            {"type": "usage", "input_tokens": 3},
            state="error",
        )
    )

    assert (
        exported
        == """# Why?

## You, 1970-01-01 00:00 UTC

Why?

## Assistant (p/m), 1970-01-01 00:01 UTC

<details>
<summary>Reasoning</summary>

First, the data.

</details>

It divides by **zero**:


```python
x = 1 / 0
```


Fix it.

Sources:

- [1 \\- Load \\[data\\]](lab/tree/a%20b.ipynb#cell-id=%281%29)

> **Error:** The answer was cut. Ask again.

*(ended with an error)*

## You, 1970-01-01 00:00 UTC

Why?
"""
    )


@settings(max_examples=400, deadline=None, derandomize=True)
@given(answer=NASTY, thought=NASTY, title=NASTY)
def test_no_text_of_others_becomes_structure(answer: str, thought: str, title: str) -> None:
    exported = rendered(conversation(reasoning(thought), text(answer), title=title, state="cancelled"))
    parsed = list(tokens(exported))
    html = [token.content.strip() for token in parsed if token.type.startswith("html")]
    ours = [heading for heading in headings(exported) if heading.startswith(("h1", "h2"))]

    assert html == (["<details>\n<summary>Reasoning</summary>", "</details>"] if thought.strip() else [])
    assert "image" not in {token.type for token in parsed}
    assert [heading[:6] for heading in ours] == [ours[0][:6], "h2 You", "h2 Ass", "h2 You"]
    assert ours[0].startswith("h1")
    assert exported.endswith("\n## You, 1970-01-01 00:00 UTC\n\nWhy?\n")
    assert [token.content for token in parsed if token.type == "inline"][-1] == "Why?"


@settings(max_examples=200, deadline=None, derandomize=True)
@given(line=NASTY)
def test_plain_text_is_shown_as_it_is(line: str) -> None:
    line = f"x{line}x".replace("\x00", "").replace("&lt;", "")
    shown = "".join(token.content for token in tokens(plain(line)) if token.type in ("text", "text_special"))

    assert shown == " ".join(line.split())


@pytest.mark.parametrize(
    ("markdown", "code"),
    [
        ("```html\n<b>a</b>\n```", "<b>a</b>\n"),
        ("~~~~\n```\n<b>\n```\n~~~~", "```\n<b>\n```\n"),
        ("1. do\n\n    ```py\n    if a < b:\n        pass\n    ```\n2. then", "if a < b:\n    pass\n"),
        ("```py\nnever closed <b>", "never closed <b>\n"),
        ("```\n# not a heading\n===\n```", "# not a heading\n===\n"),
    ],
    ids=["html", "fence in a fence", "in a list", "unclosed", "headings"],
)
def test_code_blocks_keep_their_text(markdown: str, code: str) -> None:
    assert [token.content for token in tokens(contained(markdown)) if token.type == "fence"] == [code]


@pytest.mark.parametrize(
    ("markdown", "code"),
    [
        ("use `<div>` here", "<div>"),
        ("`` a`b ``", "a`b"),
        ("`a | b` or", "a | b"),
        (r"\`not code `a<b`", "a<b"),
        ("- **`![x](y)`**: z", "![x](y)"),
    ],
)
def test_code_in_a_line_keeps_its_text(markdown: str, code: str) -> None:
    assert [token.content for token in tokens(contained(markdown)) if token.type == "code_inline"] == [code]


@pytest.mark.parametrize("url", ["javascript:alert(1)", " data:text/html,x", "vbscript:x", ""])
def test_a_source_with_a_strange_address_is_no_link(url: str) -> None:
    exported = rendered(conversation({"type": "sources", "sources": [{"title": "cell 3", "url": url}]}))

    assert "- cell 3\n" in exported
    assert "link_open" not in {token.type for token in tokens(exported)}


@pytest.mark.parametrize("created", [1e300, -1e300, float("nan")])
def test_a_time_out_of_range_is_said(created: float) -> None:
    assert "at an unknown time" in rendered(conversation(text("a"), created=created))


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Why does this fail?", "Why-does-this-fail-01234567.md"),
        ("../../etc/passwd\x00\r\n", "etc-passwd-01234567.md"),
        ("日本語", "conversation-01234567.md"),
        ("CON", "CON-01234567.md"),
        ("é" * 200, "e" * 60 + "-01234567.md"),
    ],
)
def test_file_names_are_safe_everywhere(title: str, name: str) -> None:
    assert file_name(conversation(title=title), "md") == name


def test_a_very_long_line_without_end_is_exported() -> None:
    assert contained("`" + "a``" * 200_000).startswith("&#96;a&#96;&#96;")
