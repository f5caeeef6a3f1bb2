"""``<think>`` told apart from the answer, wherever the pieces are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_assistant.llm.think import Thinking
from jupyter_assistant.messages import Reasoning, Token


def split(pieces: list[str]) -> tuple[str, str]:
    """Reasoning and answer of a text fed in pieces."""
    thinking = Thinking()
    events = [event for piece in pieces for event in thinking.feed(piece)] + thinking.close()
    assert all(event.text for event in events)
    return (
        "".join(event.text for event in events if isinstance(event, Reasoning)),
        "".join(event.text for event in events if isinstance(event, Token)),
    )


CASES = [
    ("Hello", "", "Hello"),
    ("<think>Hm.</think>Yes", "Hm.", "Yes"),
    ("<think>\nHm.\n</think>\n\nYes\n", "Hm.", "Yes\n"),
    ("\n <think>Hm.</think>Yes", "Hm.", "Yes"),
    ("<think>\n\n</think>\n\nYes", "", "Yes"),
    ("<think></think>Yes", "", "Yes"),
    ("<think>never closed", "never closed", ""),
    ("<think>never closed </thi", "never closed </thi", ""),
    ("<think>a </ b </thin c</think>d", "a </ b </thin c", "d"),
    ("<think>a\n\n  b</think>c", "a\n\n  b", "c"),
    ("<think>a<think>b</think>c</think>d", "a<think>b", "c</think>d"),
    ("Text <think>about it</think>", "", "Text <think>about it</think>"),
    ("a</think>b", "", "a</think>b"),
    ("<thinker> is a word", "", "<thinker> is a word"),
    ("<thi", "", "<thi"),
    ("  \n", "", "  \n"),
    ("", "", ""),
    (" " * 500 + "x", "", " " * 500 + "x"),
    ("<think>a" + " " * 500 + "b</think>c", "a" + " " * 500 + "b", "c"),
]


@pytest.mark.parametrize(("text", "reasoning", "answer"), CASES)
def test_reasoning_and_answer_are_told_apart_whole_and_character_by_character(
    text: str, reasoning: str, answer: str
) -> None:
    assert split([text]) == (reasoning, answer)
    assert split(list(text)) == (reasoning, answer)


@pytest.mark.parametrize(("text", "reasoning", "answer"), CASES[:12])
def test_reasoning_and_answer_are_told_apart_wherever_the_text_is_cut(text: str, reasoning: str, answer: str) -> None:
    assert all(split([text[:i], text[i:]]) == (reasoning, answer) for i in range(len(text)))


@given(st.text(max_size=300), st.text(max_size=50))
def test_a_thought_without_tags_comes_back_but_for_its_outer_space(thought: str, answer: str) -> None:
    assert split(list(f"<think>{thought}</think>!{answer}")) == (_settled(thought), f"!{answer}")


def _settled(thought: str) -> str:
    """White space at the end is layout, as far as it is held back."""
    kept = thought.lstrip()
    end = kept.rstrip()
    return end if len(kept) - len(end) <= 64 else kept


def test_nothing_is_held_once_the_answer_has_begun() -> None:
    thinking = Thinking()
    assert thinking.feed("a <") == [Token("a <")]
    assert thinking.feed("think>") == [Token("think>")]
