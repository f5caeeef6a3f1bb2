import { expect, test } from 'vitest';
import type { Setting } from '../src/chat/protocol';
import { settings } from '../src/chat/protocol';
import { changes, ordered, typed } from '../src/chat/settings';
import { Refused } from '../src/chat/transport';
import { announceOf } from '../src/lab/preferences';
import { Place, Script } from './script';
import { Screen } from './screen';

const SERVED = {
  settings: { api_key: true, context_tokens: 16_000, model: 'm', no_think: ['qwen3*', 'r1'], later: 'x' },
  sources: { api_key: 'user', context_tokens: 'default', model: 'environment', no_think: 'elsewhere' },
  locked: ['model'],
  help: { model: 'Which one.' }
};

const of = (name: string): Setting | undefined => settings(SERVED).find(setting => setting.name === name);

test('settings are read with their kinds, sources and locks', () => {
  expect(of('model')).toEqual({
    name: 'model',
    kind: 'text',
    value: 'm',
    set: true,
    source: 'environment',
    locked: true,
    help: 'Which one.'
  });
  expect(of('api_key')).toMatchObject({ kind: 'secret', value: '', set: true, source: 'user' });
  expect(of('no_think')).toMatchObject({ kind: 'list', source: 'default' });
  expect(settings('nonsense')).toEqual([]);
});

test('those people look for come first, those this panel does not know last', () => {
  const names = ordered(settings(SERVED)).map(({ name }) => name);
  expect(names).toEqual(['model', 'api_key', 'context_tokens', 'no_think', 'later']);
});

test('only what was changed is sent, as the server takes it', () => {
  const all = settings(SERVED);
  expect(changes(all, {})).toEqual({});
  expect(changes(all, { context_tokens: '16000', no_think: 'qwen3*\nr1' })).toEqual({});
  expect(changes(all, { model: 'locked' })).toEqual({});
  expect(changes(all, { context_tokens: ' 9000 ', no_think: 'a\n\n b ', api_key: null })).toEqual({
    context_tokens: 9000,
    no_think: ['a', 'b'],
    api_key: null
  });
  expect(changes(all, { context_tokens: 'many' })).toEqual({ context_tokens: 'many' });
});

test('a list stands in its field line by line', () => {
  expect(all('no_think')).toBe('qwen3*\nr1');
  expect(all('context_tokens')).toBe('16000');
});

function all(name: string): string {
  const setting = of(name);
  return setting ? typed(setting) : '';
}

async function open(screen: Screen): Promise<HTMLElement> {
  screen.button('Settings').click();
  await screen.until(() => screen.el.querySelector('[role=dialog] input') !== null);
  return screen.find('[role=dialog]');
}

function fill(screen: Screen, label: string, value: string): HTMLInputElement {
  const found = screen.all('[role=dialog] label').find(each => each.textContent === label);
  const field = document.getElementById(found?.getAttribute('for') ?? '') as HTMLInputElement;
  field.value = value;
  field.dispatchEvent(new InputEvent('input', { bubbles: true }));
  return field;
}

test('what the server refuses stays in its field with the reason beside it', async () => {
  const screen = new Screen();
  const sheet = await open(screen);
  screen.script.refusal = new Refused(400, {
    code: 'invalid',
    text: 'context_tokens: must be at least 500',
    hint: '',
    field: 'context_tokens'
  });
  const field = fill(screen, 'Context, in tokens', '12');
  fill(screen, 'Your instructions', 'Be brief.');
  screen.button('Save').click();
  await screen.until(() => field.getAttribute('aria-invalid') === 'true');
  expect(sheet.textContent).toContain('must be at least 500');
  expect(field.value).toBe('12');
  screen.script.refusal = null;
  fill(screen, 'Context, in tokens', '900');
  screen.button('Save').click();
  await screen.until(() => sheet.querySelector('[role=status]')?.textContent === 'Saved');
  expect(screen.script.changed.at(-1)).toEqual({ context_tokens: 900, instructions: 'Be brief.' });
});

test('what is typed is not lost by closing', async () => {
  const screen = new Screen();
  await open(screen);
  fill(screen, 'Your instructions', 'Be brief.');
  screen.button('Close').click();
  await screen.until(() => screen.find('[role=dialog]').textContent.includes('Not saved yet'));
  expect(screen.script.changed).toEqual([]);
  screen.button('Save and close').click();
  await screen.until(() => screen.el.querySelector('[role=dialog]') === null);
  expect(screen.script.changed).toEqual([{ instructions: 'Be brief.' }]);
});

test('a key goes to the server and leaves its input', async () => {
  const screen = new Screen();
  const sheet = await open(screen);
  const field = fill(screen, 'Key', 'sk-canary');
  screen.button('Save').click();
  await screen.until(() => sheet.querySelector('[role=status]')?.textContent === 'Saved');
  expect(screen.script.changed).toEqual([{ api_key: 'sk-canary' }]);
  expect(field.value).toBe('');
  await screen.until(() => sheet.textContent.includes('Set · Yours'));
  screen.button('Remove the key').click();
  await screen.until(() => sheet.textContent.includes('Removed by Save.'));
  screen.button('Save').click();
  await screen.until(() => screen.script.changed.length === 2);
  expect(screen.script.changed[1]).toEqual({ api_key: null });
});

test('a lock is seen and its field cannot be changed', async () => {
  const script = new Script();
  script.locks = ['model'];
  const screen = new Screen(script, new Place());
  const sheet = await open(screen);
  await screen.until(() => sheet.textContent.includes('Set by your administrator'));
  expect(sheet.querySelectorAll(':disabled')).toHaveLength(1);
});

test.each([
  [{}, 'ready'],
  [{ announce: 'full' }, 'full'],
  [{ announce: 'sentences' }, 'sentences'],
  [{ announce: 'shouting' }, 'ready'],
  [{ announce: 3 }, 'ready']
])('announcements of %o are %s', (values, wanted) => {
  expect(announceOf(values)).toBe(wanted);
});

test('the host’s key leads into the sheet that covers the composer, and moves nothing in it', async () => {
  const screen = new Screen();
  const sheet = await open(screen);
  screen.composer.focus();
  screen.panel.focus();
  expect(sheet.contains(document.activeElement)).toBe(true);
  const field = fill(screen, 'Your instructions', 'Be brief.');
  field.focus();
  screen.panel.focus();
  expect(document.activeElement).toBe(field);
});

test('each key has its own field, and all that are typed are saved', async () => {
  const made = new Script();
  made.values = { ...made.values, api_key: false, embeddings_api_key: false };
  const screen = new Screen(made);
  await open(screen);
  const keys = ['Key', 'Search by meaning: key'].map((label, index) => fill(screen, label, `sk-${index}`));
  screen.button('Save').click();
  await screen.until(() => made.changed.length === 1);
  expect(made.changed[0]).toEqual({ api_key: 'sk-0', embeddings_api_key: 'sk-1' });
  await screen.until(() => keys.every(({ value }) => value === ''));
});
