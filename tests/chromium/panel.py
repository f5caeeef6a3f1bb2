"""The chat, wherever it is shown, by the names a screen reader says."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect


class Panel:
    """What a user does in it and sees of it."""

    root: Locator

    @property
    def question(self) -> Locator:
        """The composer."""
        return self.root.get_by_role("textbox", name="Question")

    @property
    def send(self) -> Locator:
        """The button that sends."""
        return self.root.get_by_role("button", name="Send", exact=True)

    @property
    def stop(self) -> Locator:
        """The button that stops, in the same place."""
        return self.root.get_by_role("button", name="Stop", exact=True)

    @property
    def answer(self) -> Locator:
        """The last answer."""
        return self.root.get_by_role("article", name=re.compile("^Assistant")).last

    def ask(self, question: str) -> None:
        """Type and press Enter; back once the question stands in the transcript and its answer is awaited."""
        asked = self.root.get_by_role("article", name=re.compile("^You"))
        before = asked.count()
        self.question.fill(question)
        self.question.press("Enter")
        expect(asked).not_to_have_count(before)

    def finished(self) -> Locator:
        """The last answer, once it has ended."""
        expect(self.answer).to_have_attribute("aria-busy", "false", timeout=30_000)
        self.send.wait_for()
        return self.answer
