import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { CellUse, Host } from '../src/chat/host';
import { offer, offered } from '../src/chat/offer';
import { makeBox, kernelLine } from '../src/panel/box';
import { ENGLISH } from '../src/chat/host';
import { cellHost } from '../src/panel/host';
import type { Model, State } from '../src/panel/model';
import { answers, pageServer } from '../src/panel/server';
import { Place } from './script';
import './screen';

/** A widget's model without a kernel. */
class Widget implements Model {
  readonly listeners = new Map<string, Set<(...words: unknown[]) => void>>();
  saved = 0;
  state: State = { panel: 'p1', path: 'work/a.ipynb', conversation: '', height: 480 };

  get<Name extends keyof State>(name: Name): State[Name] {
    return this.state[name];
  }

  set<Name extends keyof State>(name: Name, value: State[Name]): void {
    this.state = { ...this.state, [name]: value };
    this.listeners.get(`change:${name}`)?.forEach(listener => {
      listener();
    });
  }

  save_changes(): void {
    this.saved += 1;
  }

  send(): void {
    // no kernel
  }

  on(event: string, listener: (...words: unknown[]) => void): void {
    this.listeners.set(event, (this.listeners.get(event) ?? new Set()).add(listener));
  }

  off(event: string, listener: (...words: unknown[]) => void): void {
    this.listeners.get(event)?.delete(listener);
  }
}

/** JupyterLab, which looks at a notebook, at its third cell, with some text selected. */
function lab(path: string): Host {
  return Object.assign(Object.create(new Place()) as Host, {
    subject: () => ({ name: path.split('/').at(-1) ?? '', cell: 3, selected: 4 }),
    notebook: () => ({
      path,
      cell_id: 'c3',
      selection: 'text',
      unsaved: [{ id: 'c1', cell_type: 'code', source: 'x' }]
    }),
    failingCell: () => 2,
    cells: { obstacle: () => '', put: () => Promise.resolve('') }
  });
}

let widget: Widget;
let el: HTMLElement;

beforeEach(() => {
  widget = new Widget();
  document.body.innerHTML = '<div class="jp-Cell"></div>';
  el = document.createElement('div');
  document.querySelector('.jp-Cell')?.append(el);
});

afterEach(() => {
  document.body.innerHTML = '';
  document.cookie = '_xsrf=; max-age=0';
  vi.unstubAllGlobals();
  sessionStorage.clear();
});

function obstacle(host: Host, use: CellUse): string | undefined {
  return host.cells?.obstacle(use);
}

test('alone, a panel is about its notebook by its path', () => {
  const host = cellHost({ model: widget, el, lent: null });
  expect(host.subject()).toEqual({ name: 'a.ipynb', cell: 0, selected: 0 });
  expect(host.notebook()).toEqual({ path: 'work/a.ipynb' });
  expect(host.failingCell()).toBe(0);
  expect(host.cells).toBeUndefined();
  widget.set('path', '');
  expect(host.subject()).toBeNull();
  expect(host.notebook()).toBeNull();
});

test('what the page lends is taken while it looks at the same notebook', () => {
  const host = cellHost({ model: widget, el, lent: lab('work/a.ipynb') });
  expect(host.subject()).toEqual({ name: 'a.ipynb', cell: 3, selected: 4 });
  expect(host.notebook()).toMatchObject({ path: 'work/a.ipynb', cell_id: 'c3', selection: 'text', unsaved: [{}] });
  expect(host.failingCell()).toBe(2);
  expect(obstacle(host, 'replace')).toBe('');
});

test('nothing of another notebook is taken, also of one of the same name', () => {
  for (const other of ['work/b.ipynb', 'a.ipynb']) {
    const host = cellHost({ model: widget, el, lent: lab(other) });
    expect(host.notebook()).toEqual({ path: 'work/a.ipynb' });
  }
  const host = cellHost({ model: widget, el, lent: lab('work/b.ipynb') });
  expect(host.subject()).toEqual({ name: 'a.ipynb', cell: 0, selected: 0 });
  expect(obstacle(host, 'insert')).toBe('Another notebook is in front');
});

test('the cell that shows the panel is neither asked about nor replaced', async () => {
  el.closest('.jp-Cell')?.classList.add('jp-mod-active');
  const host = cellHost({ model: widget, el, lent: lab('work/a.ipynb') });
  expect(host.subject()).toEqual({ name: 'a.ipynb', cell: 0, selected: 0 });
  expect(host.notebook()).not.toHaveProperty('cell_id');
  expect(host.notebook()).not.toHaveProperty('selection');
  expect(obstacle(host, 'replace')).toBe('The active cell shows this panel');
  expect(await host.cells?.put('replace', 'x', 'python')).toBe('The active cell shows this panel');
  expect(obstacle(host, 'insert')).toBe('');
});

test('the conversation is remembered by the widget, drafts by the page, each panel its own', () => {
  const host = cellHost({ model: widget, el, lent: null });
  host.remember('conv-1');
  host.rememberDraft('conv-1', 'half a thought');
  host.rememberQuestion({ question: 'q', request_id: 'r', notebook: { path: 'a', cell_id: 'c', unsaved: [] } });
  expect([widget.state.conversation, widget.saved]).toEqual(['conv-1', 1]);
  const again = cellHost({ model: widget, el, lent: null });
  expect(again.recall()).toBe('conv-1');
  expect(again.recallDraft('conv-1')).toBe('half a thought');
  expect(again.recallQuestion()).toEqual({ question: 'q', request_id: 'r', notebook: { path: 'a', cell_id: 'c' } });
  const other = new Widget();
  other.state = { ...other.state, panel: 'p2' };
  expect(cellHost({ model: other, el, lent: null }).recallDraft('conv-1')).toBe('');
});

test('a page that may keep nothing keeps it as long as it lives', () => {
  vi.stubGlobal('sessionStorage', null);
  const host = cellHost({ model: widget, el, lent: null });
  host.rememberDraft('', 'text');
  expect(host.recallDraft('')).toBe('text');
});

test('a host is offered to its page', () => {
  expect(offered()).toBeNull();
  const host = lab('a.ipynb');
  offer(host);
  expect(offered()).toBe(host);
});

test('a new path is told to whoever shows it, until the end', () => {
  const host = cellHost({ model: widget, el, lent: null });
  const [abort, heard] = [new AbortController(), vi.fn()];
  host.onSubject(heard, abort.signal);
  widget.set('path', 'work/renamed.ipynb');
  expect(heard).toHaveBeenCalledOnce();
  expect(host.notebook()).toEqual({ path: 'work/renamed.ipynb' });
  abort.abort();
  widget.set('path', 'x');
  expect(heard).toHaveBeenCalledOnce();
});

function told(config: object): void {
  document.body.innerHTML = `<script type="application/json" id="jupyter-config-data">${JSON.stringify(config)}</script>`;
}

test.each(['/', '/jb', '/jb/', 'http://localhost:3000/user/ann/'])(
  'a page says where its server is: %s',
  async base => {
    const asked: [string, RequestInit][] = [];
    vi.stubGlobal('fetch', (url: URL, init: RequestInit) => {
      asked.push([url.href, init]);
      return Promise.resolve(new Response('{}'));
    });
    told({ baseUrl: base, token: 'secret' });
    document.cookie = '_xsrf=2%7Cabc';
    await pageServer()?.('models', { headers: { Accept: 'x' } });
    const root = new URL(base.endsWith('/') ? base : `${base}/`, location.href).href;
    expect(asked[0]?.[0]).toBe(`${root}assistant/models`);
    expect(asked[0]?.[1]).toMatchObject({
      credentials: 'same-origin',
      headers: { Accept: 'x', Authorization: 'token secret', 'X-XSRFToken': '2|abc' }
    });
  }
);

test.each([{}, { baseUrl: 7 }, { baseUrl: 'https://elsewhere.example/', token: 'secret' }])(
  'a page without a server of its own has none: %j',
  config => {
    told(config);
    expect(pageServer()).toBeNull();
  }
);

test('a server answers unless it does not have the assistant', async () => {
  const { signal } = new AbortController();
  for (const [status, there] of [
    [200, true],
    [403, true],
    [503, true],
    [404, false]
  ] as const) {
    expect(await answers(() => Promise.resolve(new Response('', { status })), signal)).toBe(there);
  }
  expect(await answers(() => Promise.reject(new TypeError('blocked')), signal)).toBe(false);
});

test('a box wears its height, keeps line breaks, and says what is to be known of the kernel', () => {
  const abort = new AbortController();
  const box = makeBox(widget, ENGLISH, abort.signal);
  document.querySelector('.jp-Cell')?.append(box.root);
  expect(box.root.style.height).toBe('480px');
  widget.set('height', 300);
  expect(box.root.style.height).toBe('300px');
  expect(box.root.dataset['lmSuppressShortcuts']).toBe('true');
  const field = box.stage.appendChild(document.createElement('textarea'));
  const taken = vi.fn();
  field.addEventListener('beforeinput', taken); // as JupyterLab does
  field.dispatchEvent(new InputEvent('beforeinput', { inputType: 'insertLineBreak', bubbles: true }));
  expect(taken).not.toHaveBeenCalled();
  field.dispatchEvent(new InputEvent('beforeinput', { inputType: 'insertText', bubbles: true }));
  expect(taken).toHaveBeenCalledOnce();
  box.say(kernelLine('gone', true, ENGLISH));
  expect(box.root.querySelector('[role=status]')?.textContent).toMatch(/^The kernel was restarted/);
  abort.abort();
  widget.set('height', 500);
  expect(box.root.style.height).toBe('300px');
  expect([...widget.listeners.values()].every(listeners => listeners.size === 0)).toBe(true);
});

test('where the server is asked, the kernel is mentioned only when it is gone', () => {
  expect(kernelLine('busy', false, ENGLISH)).toBe('');
  expect(kernelLine('busy', true, ENGLISH)).toBe('The kernel is busy: this goes on when its cell has ended.');
  expect(kernelLine('gone', false, ENGLISH)).toContain('You can go on here');
});
