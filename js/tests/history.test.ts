import { expect, test, vi } from 'vitest';
import { begin, newer, reduce, shown } from '../src/chat/conversation';
import type { Item } from '../src/chat/history';
import { grouped, items, matching } from '../src/chat/history';
import { fileName, storedConversation } from '../src/chat/protocol';
import { Refused } from '../src/chat/transport';
import { CONFIRM_MS } from '../src/chat/view/history';
import { Place, Script, message } from './script';
import { Screen } from './screen';

function item(title: string, when: Date, more: Partial<Item> = {}): Item {
  return {
    id: title,
    key: '',
    title,
    updated: when.getTime() / 1000,
    pinned: false,
    running: false,
    unseen: false,
    shown: false,
    ...more
  };
}

test('conversations are grouped by the days of the calendar, each once, the newest first', () => {
  const now = new Date(2026, 10, 20, 0, 30); // a Friday, half an hour after midnight
  const all = [
    item('last year', new Date(2025, 10, 20)),
    item('just now', new Date(2026, 10, 20, 0, 1)),
    item('before midnight', new Date(2026, 10, 19, 23, 59)),
    item('Monday', new Date(2026, 10, 16, 0, 0)),
    item('Sunday', new Date(2026, 10, 15, 23, 59)),
    item('the first', new Date(2026, 10, 1)),
    item('October', new Date(2026, 9, 31, 23, 59)),
    item('old but pinned', new Date(2020, 1, 1), { pinned: true }),
    item('a minute ago', new Date(2026, 10, 20, 0, 29)),
    item('a clock ahead', new Date(2026, 10, 21))
  ];
  expect(grouped(all, now).map(({ period, items }) => [period, items.map(({ title }) => title)])).toEqual([
    ['pinned', ['old but pinned']],
    ['today', ['a clock ahead', 'a minute ago', 'just now']],
    ['yesterday', ['before midnight']],
    ['week', ['Monday']],
    ['month', ['Sunday', 'the first']],
    ['older', ['October', 'last year']]
  ]);
  expect(grouped([], now)).toEqual([]);
});

test('on the first of a month yesterday is still yesterday', () => {
  const now = new Date(2026, 2, 1, 12);
  expect(grouped([item('x', new Date(2026, 1, 28, 12))], now)[0]?.period).toBe('yesterday');
});

test('a search takes words in any order, without case and accents', () => {
  const all = ['Café sales in São Paulo', 'CAFE menu', 'Ελληνικά', 'x'].map(title => item(title, new Date()));
  const found = (sought: string): string[] => matching(all, sought).map(({ title }) => title);
  expect(found('cafe')).toEqual(['Café sales in São Paulo', 'CAFE menu']);
  expect(found('  PAULO café ')).toEqual(['Café sales in São Paulo']);
  expect(found('ΕΛΛΗΝΙΚΑ')).toEqual(['Ελληνικά']);
  expect(found('')).toHaveLength(4);
  expect(found('(')).toEqual([]);
});

test('what ended out of sight is marked until it is shown', () => {
  const summary = { id: 'c2', title: 'T', updated: 1, pinned: false, run_id: 'r' };
  let chat = reduce(begin('k'), { do: 'listed', listing: { conversations: [summary], archived: 0 } });
  expect(items(chat, 0)[0]).toMatchObject({ running: true, unseen: false });
  const over = { conversations: [{ ...summary, run_id: '' }], archived: 0 };
  chat = reduce(chat, { do: 'listed', listing: over });
  expect(items(chat, 0)[0]).toMatchObject({ running: false, unseen: true });
  chat = reduce(chat, { do: 'show', key: 'c2', id: 'c2', title: 'T' });
  expect(chat.unseen).toEqual([]);
  expect(items(reduce(chat, { do: 'listed', listing: over }), 0)[0]?.unseen).toBe(false);
});

test('the server has news when it has an answer that is not here, never when something here is not there', () => {
  const stored = (messages: unknown[], run_id: string | null = null): ReturnType<typeof storedConversation> =>
    storedConversation({ id: 'c', title: 'T', updated: 2, run_id, messages });
  const first = [message('user', 'q'), message('assistant', 'a', { run_id: 'r1' })];
  const chat = reduce(reduce(begin('c'), { do: 'show', key: 'c', id: 'c', title: 'T' }), {
    do: 'loaded',
    key: 'c',
    conversation: stored(first)
  });
  const here = shown(chat);
  expect(newer(here, stored(first))).toBe(false);
  expect(newer(here, stored([...first, message('user', 'p'), message('assistant', 'b', { run_id: 'r2' })]))).toBe(true);
  expect(newer(here, stored(first, 'r2'))).toBe(true);
  expect(newer(here, stored([message('user', 'q'), message('assistant', 'a and more', { run_id: 'r1' })]))).toBe(true);
  const asked = shown(reduce(chat, { do: 'ask', key: 'c', id: 'q2', text: 'mine', answer: 'a2' }));
  expect(newer(asked, stored(first, 'r2'))).toBe(false);
});

test('a file name is taken from the header without any folder', () => {
  expect(fileName("attachment; filename*=utf-8''a%20b.md", 'x')).toBe('a b.md');
  expect(fileName('attachment; filename="c.md"', 'x')).toBe('c.md');
  expect(fileName("attachment; filename*=utf-8''..%2F..%2Fetc%2Fd.md", 'x')).toBe('d.md');
  expect(fileName("attachment; filename*=utf-8''%ff", 'x')).toBe('x');
  expect(fileName('', 'x')).toBe('x');
});

async function listed(script = new Script(), place = new Place()): Promise<Screen> {
  script.store('c1', [message('user', 'q'), message('assistant', 'old answer', { run_id: 'r0' })]);
  script.store('c2', [], null, { title: 'Café sales', updated: Date.now() / 1000 });
  const screen = new Screen(script, place);
  screen.find('.jp-Assistant-title').click();
  await screen.until(() => screen.all('.jp-Assistant-open').length >= 2);
  return screen;
}

const titles = (screen: Screen): string[] => screen.all('.jp-Assistant-open').map(open => open.textContent);

async function actions(screen: Screen, title: string): Promise<void> {
  screen.button(`Actions for ${title}`).click();
  await screen.until(() => screen.all('.jp-Assistant-actions').length === 1);
}

test('the list is grouped, takes the cursor for a search, and says when nothing matches', async () => {
  const screen = await listed();
  const search = screen.find('input[type=search]') as HTMLInputElement;
  expect(document.activeElement).toBe(search);
  expect(screen.all('.jp-Assistant-list h3').map(head => head.textContent)).toEqual(['Today', 'Older']);
  search.value = 'CAFE';
  search.dispatchEvent(new InputEvent('input', { bubbles: true }));
  await screen.until(() => titles(screen).length === 1);
  expect(titles(screen)).toEqual(['Café sales']);
  search.value = 'zzz';
  search.dispatchEvent(new InputEvent('input', { bubbles: true }));
  await screen.until(() => screen.find('.jp-Assistant-list').textContent.includes('No title matches'));
});

test('a conversation is renamed in place; Escape leaves it as it was', async () => {
  const screen = await listed();
  const rename = async (title: string, key: string): Promise<void> => {
    await actions(screen, 'Café sales');
    screen.button('Rename').click();
    await screen.until(() => screen.all('input[aria-label=Title]').length === 1);
    const field = screen.find('input[aria-label=Title]') as HTMLInputElement;
    expect(document.activeElement).toBe(field);
    field.value = title;
    field.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
    await screen.until(() => screen.all('input[aria-label=Title]').length === 0);
  };
  await rename('Other', 'Escape');
  expect(screen.script.amended).toEqual([]);
  expect(screen.all('.jp-Assistant-list')).toHaveLength(1);
  await rename('  Sales 2026 ', 'Enter');
  await screen.until(() => titles(screen).includes('Sales 2026'));
  expect(screen.script.amended).toEqual([['c2', { title: 'Sales 2026' }]]);
  await screen.until(() => document.activeElement?.getAttribute('aria-label') === 'Actions for Sales 2026');
});

test('a refused change is said in the list and taken back', async () => {
  const screen = await listed();
  const failure = { code: 'store_down', text: 'The store cannot be written.', hint: '' };
  screen.script.changeFailure = new Refused(409, failure);
  await actions(screen, 'Café sales');
  screen.button('Rename').click();
  await screen.until(() => screen.all('input[aria-label=Title]').length === 1);
  const field = screen.find('input[aria-label=Title]') as HTMLInputElement;
  field.value = 'New';
  field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
  await screen.until(() => screen.all('.jp-Assistant-complaint').length === 1);
  expect(screen.find('.jp-Assistant-complaint').textContent).toBe('The store cannot be written.');
  await screen.until(() => titles(screen).includes('Café sales'));
});

test('pinned conversations come first, and files are saved in both formats', async () => {
  const screen = await listed();
  await actions(screen, 'Title of c1');
  screen.button('Save as Markdown').click();
  screen.button('Save as JSON').click();
  await screen.until(() => screen.place.saved.length === 2);
  expect(screen.place.saved.map(({ name }) => name)).toEqual(['c1.md', 'c1.json']);
  screen.button('Pin').click();
  await screen.until(() => screen.find('.jp-Assistant-list h3').textContent === 'Pinned');
  expect(titles(screen)[0]).toBe('Title of c1');
  await actions(screen, 'Title of c1');
  screen.button('Unpin').click();
  await screen.until(() => screen.find('.jp-Assistant-list h3').textContent === 'Today');
});

test('deleting asks first, on Keep, and takes the question back by itself', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true });
  try {
    const screen = await listed();
    await actions(screen, 'Café sales');
    screen.button('Delete').click();
    await screen.until(() => document.activeElement?.textContent === 'Keep');
    expect(screen.find('.jp-mod-delete').getAttribute('aria-label')).toBe('Delete Café sales?');
    await vi.advanceTimersByTimeAsync(CONFIRM_MS + 50);
    await screen.until(() => screen.all('.jp-mod-delete').length === 0);
    await screen.until(() => document.activeElement?.getAttribute('aria-label') === 'Actions for Café sales');
    expect(screen.script.removed).toEqual([]);
  } finally {
    vi.useRealTimers();
  }
});

test('the second click deletes, also the conversation on the screen', async () => {
  const place = new Place();
  place.remembered = 'c1';
  const screen = await listed(new Script(), place);
  await screen.shows('old answer');
  await actions(screen, 'Title of c1');
  screen.button('Delete').click();
  await screen.until(() => screen.all('.jp-mod-delete').length === 1);
  screen.button('Delete?').click();
  await screen.until(() => titles(screen).length === 1);
  expect(screen.script.removed).toEqual(['c1']);
  expect(document.activeElement).toBe(screen.find('input[type=search]'));
  await screen.shows('Ask about');
  expect(place.remembered).toBe('');
});

test('archived conversations are reached and put away again', async () => {
  const script = new Script();
  script.store('c9', [message('user', 'long ago')], null, { title: 'From the archive' });
  script.archived.add('c9');
  const screen = await listed(script);
  expect(titles(screen)).not.toContain('From the archive');
  screen.button('Show 1 archived').click();
  await screen.until(() => titles(screen).includes('From the archive'));
  expect(screen.all('.jp-Assistant-list h3').at(-1)?.textContent).toBe('Archived');
  screen.button('Hide archived').click();
  await screen.until(() => !titles(screen).includes('From the archive'));
});

test('an answer that ends out of sight leaves a dot, which goes when it is looked at', async () => {
  const screen = new Screen();
  screen.script.store('conv-1', [message('user', 'x'), message('assistant', 'half whole', { run_id: 'run-1' })]);
  await screen.ask('x');
  screen.stream.run().token('half ');
  await screen.shows('half');
  screen.button('New conversation').click();
  screen.find('.jp-Assistant-title').click();
  await screen.until(() => screen.all('.jp-Assistant-spinner').length === 1);
  screen.stream.token('whole').done();
  await screen.until(() => screen.all('.jp-Assistant-list [aria-label="New answer"]').length === 1);
  expect(screen.all('.jp-Assistant-spinner')).toEqual([]);
  screen.find('.jp-Assistant-open').click();
  await screen.shows('half whole');
  await screen.until(() => screen.all('.jp-Assistant-dot').length === 0);
});

test('who comes back to the window sees what another tab has asked, and joins its answer', async () => {
  const [script, place] = [new Script(), new Place()];
  place.remembered = 'c1';
  const first = [message('user', 'one'), message('assistant', 'first', { run_id: 'r1' })];
  script.store('c1', first);
  const screen = new Screen(script, place);
  await screen.shows('first');
  const article = screen.find('.jp-Assistant-answer');
  window.dispatchEvent(new Event('focus'));
  script.store('c1', [...first, message('user', 'two')], 'r2', { updated: 2 });
  window.dispatchEvent(new Event('focus'));
  await screen.until(() => {
    window.dispatchEvent(new Event('focus'));
    return script.resumed.length === 1;
  });
  expect(article.isConnected).toBe(true);
  script.resumed[0]?.stream.run('r2', 'c1').token('second').done();
  await screen.shows('second');
  expect(screen.text).toContain('two');
});
