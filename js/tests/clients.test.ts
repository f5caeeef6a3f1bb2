import { expect, test } from 'vitest';
import { mcpClients } from '../src/chat/protocol';
import { Refused } from '../src/chat/transport';
import { Script } from './script';
import { Screen } from './screen';

async function open(screen: Screen): Promise<void> {
  screen.button('Settings').click();
  await screen.until(() => screen.el.querySelector('.jp-Assistant-clients button') !== null);
  screen.find('.jp-Assistant-clients button').click();
  await screen.until(() => !screen.find('.jp-Assistant-clients').textContent.includes('Loading'));
}

test('what the server says of its clients is read, and nothing else', () => {
  expect(
    mcpClients({ tools: 'read', clients: [{ name: 'a', title: 'A', forms: [{ form: 'stdio', text: 't' }] }] })
  ).toEqual({ tools: 'read', clients: [{ name: 'a', title: 'A', forms: [{ form: 'stdio', text: 't', note: '' }] }] });
  expect(mcpClients({ tools: 'root', clients: [{ forms: 'x' }] })).toEqual({
    tools: 'execute',
    clients: [{ name: '', title: '', forms: [] }]
  });
});

test('each client has its tab, its configuration to copy, and what it may do is said', async () => {
  const screen = new Screen();
  await open(screen);
  await screen.until(() => screen.all('[role=tab]').length === 2);
  const card = screen.find('.jp-Assistant-clients');
  expect(card.textContent).toContain('read and edit notebooks, and run nothing');
  expect(card.querySelector('p code')?.textContent).toBe('.mcp.json');
  screen.button('Copy').click();
  expect(screen.place.copied).toEqual(['{"mcpServers": 1}']);
  const [first, second] = screen.all('[role=tab]');
  first?.focus();
  first?.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true, cancelable: true }));
  await screen.until(() => second?.getAttribute('aria-selected') === 'true');
  expect(document.activeElement).toBe(second);
  expect([first?.tabIndex, second?.tabIndex]).toEqual([-1, 0]);
  expect(screen.find('[role=tabpanel] pre').textContent).toBe('[mcp_servers]');
  second?.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true, cancelable: true }));
  await screen.until(() => first?.getAttribute('aria-selected') === 'true');
});

test('why there is nothing to show is said', async () => {
  const screen = new Screen(new Script());
  screen.button('Settings').click();
  await screen.until(() => screen.el.querySelector('.jp-Assistant-clients button') !== null);
  screen.script.refusal = new Refused(404, { code: 'not_found', text: 'There is none.', hint: '' });
  screen.find('.jp-Assistant-clients button').click();
  await screen.until(() => screen.find('.jp-Assistant-clients').textContent.includes('There is none.'));
});
