import { expect, test } from 'vitest';
import { connection, destination, localModels, matching, shortName, thousands, unlisted } from '../src/chat/models';
import type { Catalogue } from '../src/chat/protocol';
import { catalogue } from '../src/chat/protocol';
import { OFFLINE, Place, RESPONDER, Script, catalogueOf } from './script';
import { Screen } from './screen';

const KEY = 'sk-canary-0123456789abcdef';

const KNOWN: Catalogue = catalogue({
  default: 'gateway/meta/llama',
  providers: [
    { name: 'gateway', label: 'gateway.example', base_url: 'https://gateway.example/v1' },
    { name: 'ollama', label: 'Ollama', base_url: 'http://127.0.0.1:11434/v1', local: true },
    { name: 'down', label: 'Down', error: { code: 'gateway_down', text: 'It is down.' } },
    OFFLINE
  ],
  models: [
    { id: 'gateway/meta/llama', provider: 'gateway', name: 'meta/llama', context_tokens: 131_072 },
    { id: 'gateway/qwen', provider: 'gateway', name: 'qwen' },
    { id: 'ollama/qwen', provider: 'ollama', name: 'qwen' },
    RESPONDER
  ]
});

const ids = (search: string): string[] =>
  matching(KNOWN, search).groups.flatMap(({ models }) => models.map(model => model.id));

function script(known: Catalogue | null = null): Script {
  const made = new Script();
  made.known = known;
  return made;
}

function fill(input: HTMLElement, value: string): void {
  (input as HTMLInputElement).value = value;
  input.dispatchEvent(new InputEvent('input', { bubbles: true }));
}

// What can be said without asking.

test('every word of a search must occur in the name or its provider', () => {
  expect(ids('')).toEqual(['gateway/meta/llama', 'gateway/qwen', 'ollama/qwen', 'offline/responder']);
  expect(ids('QWEN')).toEqual(['gateway/qwen', 'ollama/qwen']);
  expect(ids('qwen olla')).toEqual(['ollama/qwen']);
  expect(ids('nothing')).toEqual([]);
});

test('a provider that failed is shown with its error, but is no match of a search', () => {
  expect(matching(KNOWN, '').groups.map(({ provider }) => provider.name)).toContain('down');
  expect(matching(KNOWN, 'qwen').groups.map(({ provider }) => provider.name)).not.toContain('down');
});

test('of very many models some are shown and the rest counted, the responder always', () => {
  const many = catalogue({
    providers: [{ name: 'x', label: 'X' }, OFFLINE],
    models: [...Array.from({ length: 350 }, (_, n) => ({ id: `x/m${n}`, provider: 'x', name: `m${n}` })), RESPONDER]
  });
  const { groups, more } = matching(many, '');
  expect(groups.map(({ models }) => models.length)).toEqual([100, 1]);
  expect(more).toBe(250);
});

test('a name that no list has can be used as it is typed', () => {
  expect(unlisted(KNOWN, ' new/model ')).toBe('new/model');
  expect(unlisted(KNOWN, 'qwen')).toBe('');
  expect(unlisted(KNOWN, 'ollama/qwen')).toBe('');
  expect(unlisted(KNOWN, '  ')).toBe('');
  expect(unlisted(KNOWN, 'x'.repeat(513))).toBe('');
});

test('what is connected is told from the listing', () => {
  expect(connection(KNOWN)).toBe('ready');
  expect(connection(catalogueOf(''))).toBe('none');
  expect(connection({ ...KNOWN, default: null })).toBe('unchosen');
  expect(connection({ ...KNOWN, default: 'offline/responder' })).toBe('ready');
  expect(connection({ ...KNOWN, default: null, providers: [] })).toBe('none');
});

test('where a question goes is said by host, and this machine is told apart', () => {
  expect(destination(KNOWN)).toEqual({ kind: 'away', host: 'gateway.example', model: 'meta/llama' });
  expect(destination({ ...KNOWN, default: 'ollama/qwen' })).toMatchObject({ kind: 'local', host: '127.0.0.1:11434' });
  expect(destination({ ...KNOWN, default: 'offline/responder' })?.kind).toBe('responder');
  expect(destination({ ...KNOWN, default: null })).toBeNull();
  const odd = (base_url: string): Catalogue =>
    catalogue({ default: 'g/x', providers: [{ name: 'g', label: 'G', base_url }] });
  expect(destination(odd('http://127.0.0.1.evil.example/v1'))?.kind).toBe('away');
  expect(destination(odd('http://[::1]:8000/v1'))?.kind).toBe('local');
  expect(destination(odd('nonsense'))).toMatchObject({ kind: 'away', host: 'G' });
});

test('local models are those of found servers, not the responder', () => {
  expect(localModels(KNOWN).map(({ id }) => id)).toEqual(['ollama/qwen']);
  expect(localModels(null)).toEqual([]);
  expect([shortName('a/b/c'), thousands(131_072), thousands(512)]).toEqual(['b/c', '131k', '512']);
});

// The picker.

async function picker(made: Script): Promise<Screen> {
  const screen = new Screen(made);
  await screen.until(() => screen.find('.jp-Assistant-model').textContent !== '…');
  screen.find('.jp-Assistant-model > button').click();
  await screen.until(() => screen.el.querySelector('[role=combobox]') !== null);
  return screen;
}

test('the picker shows the current model, moves by keys and remembers the choice', async () => {
  const made = script(KNOWN);
  made.saved = { ...KNOWN, default: 'gateway/qwen' };
  const screen = await picker(made);
  expect(screen.find('.jp-Assistant-model > button').textContent).toBe('meta/llama');
  const search = screen.find('[role=combobox]');
  expect(document.activeElement).toBe(search);
  expect(screen.find('[role=option][aria-selected=true]').textContent).toBe('meta/llama131k');
  expect(search.getAttribute('aria-activedescendant')).toBe(screen.find('[data-active]').id);
  search.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true }));
  await screen.until(() => screen.find('[data-active]').textContent === 'qwen');
  search.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
  await screen.until(() => screen.el.querySelector('[role=listbox]') === null);
  expect(made.changed).toEqual([{ model: 'gateway/qwen' }]);
  expect(screen.find('.jp-Assistant-model > button').textContent).toBe('qwen');
  expect(document.activeElement).toBe(screen.composer);
});

test('an unlisted name is chosen verbatim, and the responder is in the list', async () => {
  const made = script(KNOWN);
  const screen = await picker(made);
  expect(screen.find('[role=listbox]').textContent).toContain('Built-in responder (offline)');
  fill(screen.find('[role=combobox]'), 'brand/new');
  await screen.until(() => screen.find('[role=listbox]').textContent === 'Use “brand/new”');
  screen.find('[role=option]').click();
  await screen.until(() => made.changed.length === 1);
  expect(made.changed).toEqual([{ model: 'brand/new' }]);
});

test('Escape closes the picker, stops nothing and gives the focus back', async () => {
  const screen = await picker(script(KNOWN));
  await screen.ask('x');
  screen.stream.run();
  screen
    .find('[role=combobox]')
    .dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, cancelable: true }));
  await screen.until(() => screen.el.querySelector('[role=listbox]') === null);
  expect(document.activeElement).toBe(screen.find('.jp-Assistant-model > button'));
  expect(screen.script.stopped).toEqual([]);
});

test('a locked model has a lock, says why and does not open', async () => {
  const made = script(KNOWN);
  made.locks = ['model'];
  const screen = new Screen(made);
  const button = screen.find('.jp-Assistant-model > button');
  await screen.until(() => button.getAttribute('aria-disabled') === 'true' && button.textContent === 'meta/llama');
  expect(button.title).toContain('administrator');
  button.click();
  await new Promise(resolve => setTimeout(resolve, 60));
  expect(screen.el.querySelector('[role=listbox]')).toBeNull();
});

// Connecting.

async function way(made: Script, name: string): Promise<Screen> {
  const screen = new Screen(made);
  await screen.shows('No language model is connected');
  screen
    .all('.jp-Assistant-way > button')
    .find(each => each.textContent.includes(name))
    ?.click();
  await screen.until(() => screen.el.querySelector('.jp-Assistant-form') !== null);
  return screen;
}

test('a pasted key is tested, saved, cleared, and kept in no state', async () => {
  const made = script();
  made.trial = () => ({ model: 'gateway/gpt', seconds: 0.42, failure: null, suggestion: '', models: [] });
  made.saved = catalogueOf('gateway/gpt');
  const screen = await way(made, 'Paste a key');
  const key = screen.find('input[type=password]') as HTMLInputElement;
  expect(key.autocomplete).toBe('off');
  screen.button('Test').click();
  expect(made.tried).toEqual([]);
  fill(key, `${KEY} `);
  await screen.until(() => screen.button('Test').getAttribute('aria-disabled') === 'false');
  screen.button('Test').click();
  await screen.shows('gpt answered in 0.42 s');
  expect(made.tried).toEqual([{ base_url: 'https://api.openai.com/v1', api_key: KEY }]);
  screen.button('Save').click();
  await screen.until(() => screen.find('.jp-Assistant-model > button').textContent === 'gpt');
  expect(made.changed).toEqual([{ base_url: 'https://api.openai.com/v1', api_key: KEY, model: 'gateway/gpt' }]);
  expect(key.value).toBe('');
  expect(screen.el.outerHTML).not.toContain(KEY);
  await screen.until(() => screen.el.querySelector('.jp-Assistant-card') === null);
});

test('a missing /v1 is mended by one click, and only then', async () => {
  const made = script();
  made.trial = ({ base_url = '', model = '' }) =>
    base_url.endsWith('/v1')
      ? { model: `gateway/${model}`, seconds: 0.1, failure: null, suggestion: '', models: [] }
      : {
          model,
          seconds: 0,
          failure: { code: 'endpoint_not_found', text: 'Nothing there.', hint: 'Add /v1.' },
          suggestion: 'http://h/v1',
          models: []
        };
  const screen = await way(made, 'Use a gateway');
  fill(screen.find('input[type=url]'), 'http://h');
  fill(screen.find('input[type=text]'), 'llama');
  await screen.until(() => screen.button('Test').getAttribute('aria-disabled') === 'false');
  screen.button('Test').click();
  await screen.shows('Nothing there.');
  expect(screen.button('Save anyway')).toBeTruthy();
  expect(made.tried).toHaveLength(1);
  screen.button('Use …/v1').click();
  await screen.shows('llama answered in');
  expect((screen.find('input[type=url]') as HTMLInputElement).value).toBe('http://h/v1');
  screen.button('Save').click();
  await screen.until(() => made.changed.length === 1);
  expect(made.changed).toEqual([{ base_url: 'http://h/v1', model: 'gateway/llama' }]);
});

test('what was tested must be what is saved', async () => {
  const made = script();
  const screen = await way(made, 'Use a gateway');
  fill(screen.find('input[type=url]'), 'http://h/v1');
  await screen.until(() => screen.button('Test').getAttribute('aria-disabled') === 'false');
  screen.button('Test').click();
  await screen.until(() => screen.button('Save').getAttribute('aria-disabled') === 'false');
  fill(screen.find('input[type=url]'), 'http://other/v1');
  await screen.until(() => screen.button('Save').getAttribute('aria-disabled') === 'true');
  screen.button('Save').click();
  expect(made.changed).toEqual([]);
});

test('a local model is looked for, tested and saved without an address or a key', async () => {
  const made = script();
  made.found = { ...KNOWN, default: 'offline/responder', providers: KNOWN.providers.filter(({ local }) => local) };
  made.saved = { ...KNOWN, default: 'ollama/qwen' };
  const screen = await way(made, 'Look for a local model');
  await screen.until(() => screen.el.querySelector('.jp-Assistant-form select') !== null);
  screen.button('Test').click();
  await screen.shows('qwen answered in');
  screen.button('Save').click();
  await screen.until(() => screen.find('.jp-Assistant-model > button').textContent === 'qwen');
  expect([made.tried, made.changed]).toEqual([[{ model: 'ollama/qwen' }], [{ model: 'ollama/qwen' }]]);
});

test('where no local server answers it says so and can look again', async () => {
  const screen = await way(script(), 'Look for a local model');
  await screen.shows('Nothing answers on the usual ports');
  expect(screen.button('Look again')).toBeTruthy();
});

test('what an administrator has locked cannot be connected and says so', async () => {
  const made = script();
  made.locks = ['base_url'];
  const screen = new Screen(made);
  await screen.shows('Locked by the administrator');
  const closed = screen.all('.jp-Assistant-way > button').map(each => each.getAttribute('aria-disabled'));
  expect(closed).toEqual(['false', 'true', 'true']);
});

test('an endpoint without a chosen model offers the choice', async () => {
  const screen = new Screen(script({ ...KNOWN, default: null }));
  await screen.shows('none of its models is chosen yet');
  expect(screen.find('.jp-Assistant-model > button').textContent).toBe('Choose a model');
  screen.all('.jp-Assistant-card button')[0]?.click();
  await screen.until(() => screen.el.querySelector('[role=listbox]') !== null);
});

test.each([
  ['no_model', 'Connect a model', catalogueOf('')],
  ['no_model', 'Choose a model', KNOWN],
  ['key_rejected', 'Give a key', KNOWN],
  ['not_a_gateway', 'Change the address', KNOWN]
])('the error card of %s has one button, %s, and Escape leads back to it', async (code, label, known) => {
  const screen = new Screen(script(known));
  await screen.ask('x');
  screen.stream.run().tell('error', { code, text: 'No.', hint: 'h' }).done('error');
  await screen.shows('No.');
  const action = screen.find('.jp-Assistant-error button');
  expect(screen.all('.jp-Assistant-error button').map(each => each.textContent)).toEqual([label]);
  action.focus();
  action.click();
  await screen.until(() => screen.el.querySelector('[role=dialog]') !== null);
  const sheet = screen.find('[role=dialog]');
  await screen.until(() => sheet.contains(document.activeElement));
  sheet.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
  await screen.until(() => screen.el.querySelector('[role=dialog]') === null);
  await screen.until(() => document.activeElement === action);
});

test('a key that is set is replaced, where there is none one is given', async () => {
  const made = script(KNOWN);
  made.values = { ...made.values, api_key: true };
  const screen = new Screen(made);
  await screen.ask('x');
  screen.stream.run().tell('error', { code: 'key_rejected', text: 'No.', hint: '' }).done('error');
  await screen.until(() => screen.el.querySelector('.jp-Assistant-error button')?.textContent === 'Replace the key');
});

// What leaves this machine.

test('the sheet shows where the draft goes, what is in it and what was left out', async () => {
  const made = script(KNOWN);
  const item = { path: '', cell_id: '', chars: 9, truncated: true };
  let asked = '';
  made.preview = question => {
    asked = question.question;
    return Promise.resolve({
      items: [{ ...item, kind: 'cell', label: 'cell 1', tokens: 1_200, redacted: 2, text: '<b>price</b> = 1' }],
      left_out: [{ ...item, kind: 'cell', label: 'cell 9' }],
      tokens: 1_200,
      budget: 16_000
    });
  };
  const screen = new Screen(made, new Place());
  screen.type('Why?');
  await screen.until(() => screen.send.getAttribute('aria-disabled') === 'false');
  screen.button('What leaves this machine').click();
  await screen.until(() => screen.el.querySelector('.jp-Assistant-items') !== null);
  const text = screen.find('[role=dialog]').textContent;
  expect(asked).toBe('Why?');
  expect(text).toContain('goes to gateway.example (meta/llama)');
  expect(text).toContain('About 1,200 of at most 16,000 tokens');
  expect(text).toContain('1,200 tokens · shortened · 2 secrets hidden');
  expect(screen.find('.jp-Assistant-item pre').textContent).toBe('<b>price</b> = 1');
  expect(text).toContain('Left out for want of room: 1 item');
  expect(text).toContain('cell 9');
  expect(screen.script.asked).toEqual([]);
});

test('a sheet that cannot be filled says why', async () => {
  const screen = new Screen(script(KNOWN));
  screen.button('What leaves this machine').click();
  await screen.until(() => screen.el.textContent.includes('The Jupyter server cannot be reached.'));
  expect(screen.find('[role=dialog]').textContent).toContain('this is for an example question');
});
