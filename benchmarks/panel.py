"""The panel in a real JupyterLab in Chromium: how busy an answer keeps the page, and how a long conversation opens.

One answer of 2 440 tokens (14.3 kB of mixed Markdown) comes at the pace of a quick model, and at full speed; beside it,
in the same page, the same stream is rendered the naive way: the whole message again for every event. Busy is the share
of the main thread's time that Chromium spends in tasks; a long task is one over 50 ms.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, expect

from benchmarks.figures import show
from benchmarks.processes import ROOT
from tests.chromium.sidebar import Sidebar, chromium
from tests.gateway import Gateway, Reply, Request, running_gateway
from tests.lab import Lab, running_lab

TOKENS = 2_440
CHARACTERS = 14_300
RATE = 100
"""Tokens a second; an answer takes 24 s."""

PAIRS = 250
"""Questions with their answers in the long conversation."""

KEYS = 40
WAIT_MS = 120_000

SECTION = """## Step {n}: look at `column_{n}`

The **mean** of `column_{n}` is *not* what it seems: {n} rows are empty, see [the documentation](https://example.org/{n}).
Drop them first, then group by month and compare again with what cell {n} printed.

```python
frame = frame.dropna(subset=["column_{n}"])
monthly = frame.groupby(frame["date"].dt.month)["column_{n}"].agg(["mean", "count"])
print(monthly.head({n}))  # the first rows only
```

| month | mean | count |
| --- | ---: | ---: |
| January | {n}.25 | 31 |
| February | {n}.75 | 28 |

- rows without a date count as **missing**
- values above {n} are kept
  1. check them by hand
  2. then say so in the text

> A note: the count is of rows, not of days.

"""

WATCH = """() => {
  window.__long = [];
  new PerformanceObserver(list => list.getEntries().forEach(entry => window.__long.push(entry.duration)))
    .observe({ entryTypes: ['longtask'] });
}"""

NAIVE = """async ([url, token, model]) => {
  const box = document.createElement('div');
  box.className = 'jp-RenderedHTMLCommon';
  box.style.cssText = 'position:fixed;z-index:99;top:60px;right:40px;width:380px;height:600px;overflow:auto';
  box.style.background = '#fff';
  document.body.append(box);
  const answer = await fetch(`${url}assistant/chat/stream`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `token ${token}` },
    body: JSON.stringify({ question: 'naive', model })
  });
  let [text, rest] = ['', ''];
  for await (const bytes of answer.body.pipeThrough(new TextDecoderStream())) {
    const events = (rest + bytes).split('\\n\\n');
    rest = events.pop();
    for (const event of events.filter(each => each.includes('event: token'))) {
      text += JSON.parse(event.split('data: ')[1]).text;
      box.innerHTML = marked.parse(text);
      box.scrollTop = box.scrollHeight;
    }
  }
  await new Promise(requestAnimationFrame);
  box.remove();
  return text.length;
}"""

ENDED = """() => new Promise(resolve => {
  const log = document.querySelector('.jp-Assistant-transcript');
  const look = () => {
    if (!log.querySelector('article[aria-busy=true]')) {
      watching.disconnect();
      resolve();
    }
  };
  const watching = new MutationObserver(look);
  watching.observe(log, { subtree: true, attributeFilter: ['aria-busy'] });
  look();
})"""
"""Waits for an answer's end without looking again and again, which would cost the page some of the time measured."""

WALL = """() => {
  const box = document.querySelector('.jp-Assistant-panel textarea');
  box.addEventListener('keydown', () => {
    const began = performance.now();
    const look = () => {
      if (document.querySelectorAll('.jp-Assistant-transcript article[aria-busy=false]').length) {
        setTimeout(() => (window.__wall = performance.now() - began));
      } else {
        requestAnimationFrame(look);
      }
    };
    look();
  }, { once: true });
}"""

OPEN = """([row, count]) => new Promise(resolve => {
  const began = performance.now();
  const look = () => {
    if (document.querySelectorAll('.jp-Assistant-transcript article').length < count) {
      requestAnimationFrame(look);
    } else {
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - began)));
    }
  };
  row.click();
  look();
})"""

KEYPRESSES = """() => {
  window.__keys = [];
  document.querySelector('.jp-Assistant-panel textarea').addEventListener('keydown', event => {
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => window.__keys.push(performance.now() - event.timeStamp);
      port2.postMessage(0);
    });
  });
}"""


def mixed(characters: int = CHARACTERS) -> str:
    """So many characters of Markdown with everything in it that answers have."""
    sections = "".join(SECTION.format(n=n) for n in range(1, 2 + characters // 600))
    return sections[:characters].rstrip() + "\n"


def tokens(text: str, count: int = TOKENS) -> Iterator[str]:
    """The text in so many pieces of about the same length."""
    for n in range(count):
        yield text[n * len(text) // count : (n + 1) * len(text) // count]


def play(gateway: Gateway) -> None:
    """``mixed-100``: the answer at so many tokens a second; ``mixed``: as fast as it is read."""

    @gateway.play("mixed")
    async def _mixed(reply: Reply, request: Request) -> None:
        rate = request.number(0, 0)
        clock = asyncio.get_running_loop().time
        await reply.head()
        began = clock()
        for number, token in enumerate(tokens(mixed())):
            await reply.delta(content=token)
            if rate:
                await asyncio.sleep(began + (number + 1) / rate - clock())
        await reply.finish()


@dataclass(frozen=True)
class Load:
    """What the main thread did in a while: seconds in all, in tasks, and of these in scripts, layout and style."""

    wall: float
    task: float
    script: float
    layout: float
    style: float
    long: tuple[float, ...]

    @property
    def busy(self) -> float:
        """Percent."""
        return 100 * self.task / self.wall

    def tell(self, what: str, target: float | None = None) -> None:
        """One line with the share, one with its parts."""
        show(f"{what}: main thread busy", [self.busy], "%", target)
        parts = {"scripts": self.script, "layout": self.layout, "style": self.style}
        shares = ", ".join(f"{name} {100 * part / self.wall:.1f} %" for name, part in parts.items())
        worst = f"{len(self.long)} long tasks, worst {max(self.long, default=0):.0f} ms"
        print(f"{'':<8}{shares}; {worst}; {self.wall:.1f} s", flush=True)


class Page:
    """The sidebar under measurement."""

    def __init__(self, sidebar: Sidebar) -> None:
        self.sidebar = sidebar
        self.page = sidebar.page
        self._devtools = self.page.context.new_cdp_session(self.page)
        self._devtools.send("Performance.enable")
        self.page.evaluate(WATCH)

    def _metrics(self) -> dict[str, float]:
        metrics: list[dict[str, Any]] = self._devtools.send("Performance.getMetrics")["metrics"]
        return {metric["name"]: metric["value"] for metric in metrics}

    def load(self, work: Callable[[], object]) -> Load:
        """What the main thread did while this was done."""
        self.page.evaluate("void (window.__long.length = 0)")
        before = self._metrics()
        work()
        after = self._metrics()
        spent = {name: after[name] - before[name] for name in before}
        return Load(
            wall=spent["Timestamp"],
            task=spent["TaskDuration"],
            script=spent["ScriptDuration"],
            layout=spent["LayoutDuration"],
            style=spent["RecalcStyleDuration"],
            long=tuple(self.page.evaluate("window.__long")),
        )

    def rest(self, seconds: float) -> None:
        """Nothing, for so long."""
        self.page.wait_for_timeout(1000 * seconds)

    def new(self) -> None:
        """An empty conversation."""
        self.sidebar.root.get_by_role("button", name="New conversation", exact=True).click()
        expect(self.sidebar.root.get_by_role("article")).to_have_count(0)

    def answer(self) -> None:
        """Ask, and wait for the end of the answer."""
        self.sidebar.ask("What is in these columns?")
        self.page.evaluate(ENDED)
        expect(self.sidebar.send).to_be_visible(timeout=WAIT_MS)

    def wall(self) -> float:
        """Milliseconds from Enter to the end of the answer on the screen."""
        self.page.evaluate(WALL)
        self.sidebar.question.fill("What is in these columns?")
        self.sidebar.question.press("Enter")
        self.page.wait_for_function("window.__wall")
        return float(self.page.evaluate("() => [window.__wall, (window.__wall = 0)][0]"))

    def naive(self, model: str) -> None:
        """The same stream, rendered whole at each event."""
        lab = self.sidebar.lab
        assert self.page.evaluate(NAIVE, [lab.url, lab.token, model]) == len(mixed())

    def open(self, title: str, count: int) -> float:
        """Milliseconds from the click on a conversation to its messages on the screen."""
        row = self.sidebar.root.get_by_role("button", name=title).first
        for _ in range(10):  # while the page still loads, JupyterLab takes the focus, which closes the list
            self.sidebar.root.locator(".jp-Assistant-title").click()
            self.rest(0.5)
            if row.is_visible():
                break
        return float(self.page.evaluate(OPEN, [row.element_handle(), count]))

    def keys(self) -> list[float]:
        """Milliseconds from each of some keys to their paint."""
        self.page.evaluate("void (window.__keys.length = 0)")
        for _ in range(KEYS):
            self.sidebar.question.press("a")
            self.page.wait_for_timeout(30)
        return list(self.page.evaluate("window.__keys"))


def converse(lab: Lab) -> str:
    """A conversation of ``PAIRS`` questions and answers in the store; its title."""
    headers = {"Authorization": f"token {lab.token}"}
    conversation: dict[str, str] = {}
    with httpx.Client(base_url=lab.url, headers=headers, timeout=60, trust_env=False) as http:
        for n in range(PAIRS):
            body = {"question": f"Long question {n}", "model": "markdown", **conversation}
            answer = http.post("assistant/chat", json=body).raise_for_status().json()
            conversation = {"conversation_id": answer["conversation_id"]}
    return "Long question 0"


def use(lab: Lab, model: str) -> None:
    """The model of the next questions."""
    headers = {"Authorization": f"token {lab.token}"}
    changed = httpx.patch(f"{lab.url}assistant/settings", json={"model": model}, headers=headers, trust_env=False)
    changed.raise_for_status()


def stream(page: Page) -> None:
    """The answer at its pace and at full speed, here and the naive way."""
    lab = page.sidebar.lab
    page.load(lambda: page.rest(5)).tell("JupyterLab at rest")
    use(lab, f"mixed-{RATE}")
    page.new()
    ours = page.load(page.answer)
    ours.tell(f"answer of {TOKENS} tokens at {RATE}/s in the panel", 20)
    show("        its worst task", [max(ours.long, default=0)], "ms", 50)
    marked = ROOT / "js/node_modules/marked/lib/marked.umd.js"
    if marked.exists():
        page.page.add_script_tag(content=marked.read_text())
        naive = page.load(lambda: page.naive(f"mixed-{RATE}"))
        naive.tell("the same, rendered whole at each event")
        show("        times as busy as ours", [naive.task / ours.task], "x")
    use(lab, "mixed")
    walls = []
    for _ in range(5):
        page.new()
        walls.append(page.wall())
    show("the same at full speed, Enter to its end on the screen", walls, "ms", 500)


def long_conversation(page: Page, title: str) -> None:
    """A long conversation: opened, typed in, and typed in while an answer streams."""
    opened = []
    for _ in range(5):
        page.new()
        opened.append(page.open(title, 2 * PAIRS))
    show(f"conversation of {2 * PAIRS} messages, click to paint", opened, "ms", 300)
    page.page.evaluate(KEYPRESSES)
    show("        key to paint", page.keys(), "ms", 50)
    page.sidebar.question.fill("")
    use(page.sidebar.lab, f"mixed-{RATE}")
    page.sidebar.ask("And now?")
    show("        key to paint while an answer streams", page.keys(), "ms", 50)
    load = page.load(lambda: page.rest(8))
    load.tell("        streaming at its end", 20)
    page.sidebar.stop.click()


@contextmanager
def opened(browser: Browser, lab: Lab) -> Iterator[Page]:
    """The sidebar beside a notebook."""
    window = browser.new_context(viewport={"width": 1400, "height": 900})
    yield Page(Sidebar(lab, window.new_page()).open())
    window.close()


def main() -> None:
    """One JupyterLab, one Chromium, one page after the other."""
    with tempfile.TemporaryDirectory() as name, running_gateway() as gateway, chromium() as browser:
        play(gateway)
        environ = {"JUPYTER_ASSISTANT_BASE_URL": gateway.url, "JUPYTER_ASSISTANT_MODEL": "markdown"}
        with running_lab(Path(name), environ) as lab:
            with opened(browser, lab) as page:
                stream(page)
            title = converse(lab)
            with opened(browser, lab) as page:
                long_conversation(page, title)


if __name__ == "__main__":
    main()
