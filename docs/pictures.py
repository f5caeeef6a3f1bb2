"""The README's pictures of the sidebar, taken of a real JupyterLab: ``make pictures``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import ViewportSize, expect

from tests.chromium.gallery import staged
from tests.chromium.stage import Stage
from tests.gateway import Gateway, Reply, Request, usage
from tests.lab import ROOT

FOLDER = ROOT / "docs" / "pictures"
SIZE: ViewportSize = {"width": 1180, "height": 720}
MOST_BYTES = 150_000

QUESTION = "Why does cell 11 fail?"
ANSWER = """**Cell 11 asks for a column that is gone.** Cell 7 renames `price` to `unit_price`, and \
`add_revenue` in cell 10 still uses the old name, so pandas raises `KeyError: 'price'`.

Use the new name in cell 10, then run cells 10 and 11 again:

```python
def add_revenue(frame):
    result = frame.copy()
    result["revenue"] = (
        result["quantity"] * result["unit_price"]
    )
    return result
```

Cells 12 and 14 have not been run since and will work once `revenue` is there.
"""


def teach(gateway: Gateway) -> None:
    """A model that answers the pictures' question."""

    @gateway.play("qwen3:8b")
    async def answer(reply: Reply, request: Request) -> None:
        await reply.head()
        for start in range(0, len(ANSWER), 12):
            await reply.delta(content=ANSWER[start : start + 12])
        await reply.finish(usage={**usage(186), "prompt_tokens": 2934})


def ask(stage: Stage) -> None:
    """The failing example with its answer beside it."""
    sidebar = stage.begin(model="qwen3:8b")
    stage.page.locator(".jp-Notebook").get_by_role("button", name="Fix", exact=True).first.wait_for()
    stage.page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
    sidebar.ask(QUESTION)
    expect(sidebar.finished()).to_contain_text("Cells 12 and 14")
    sidebar.answer.get_by_role("button", name="Copy", exact=True).scroll_into_view_if_needed()


def main() -> None:
    """Take a picture of each theme; complain of one that is too large for a README."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, staged(Path(folder)) as stage:
        teach(stage.gateway)
        stage.page.set_viewport_size(SIZE)
        ask(stage)
        for theme in ("light", "dark"):
            stage.wear(theme)
            stage.widen(430)
            file = FOLDER / f"sidebar-{theme}.png"
            stage.page.screenshot(path=file)
            if file.stat().st_size > MOST_BYTES:
                raise SystemExit(f"{file} is larger than {MOST_BYTES} bytes")
            print(file)


if __name__ == "__main__":
    main()
