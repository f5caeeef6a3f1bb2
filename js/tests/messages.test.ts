import { expect, test } from 'vitest';
import { awaited } from '../src/chat/conversation';
import { ENGLISH } from '../src/chat/host';
import { thoughtSummary } from '../src/chat/view/summary';
import { Place, Script, message } from './script';
import { Screen } from './screen';

async function answered(screen = new Screen()): Promise<Screen> {
  await screen.ask('Why?');
  screen.stream.run().token('**Because.**').done();
  await screen.shows('test/model');
  return screen;
}

test('an answer is copied as the Markdown it came in, and says so', async () => {
  const screen = await answered();
  screen.button('Copy the answer').click();
  await screen.until(() => screen.place.copied.length === 1);
  expect(screen.place.copied).toEqual(['**Because.**']);
  await screen.until(() => screen.find('.jp-Assistant-acts button').getAttribute('aria-label') === 'Copied');
});

test('the same question is asked again, and only of the last answer', async () => {
  const screen = await answered();
  screen.button('Ask the same again').click();
  await screen.until(() => screen.script.asked.length === 2);
  expect(screen.script.asked[1]?.question).toMatchObject({ question: 'Why?', conversation_id: 'conv-1' });
  expect(screen.script.asked[1]?.question.request_id).not.toBe(screen.script.asked[0]?.question.request_id);
  await screen.until(() => screen.all('[aria-label="Ask the same again"]').length === 0);
  expect(screen.all('[aria-label="Copy the answer"]')).toHaveLength(1);
  expect(screen.panel.focused()).toBe(true);
});

test('the last question comes back to be edited, before what was typed', async () => {
  const screen = await answered();
  screen.type('typed');
  screen.button('Edit the question').click();
  await screen.until(() => screen.composer.value === 'Why?\n\ntyped');
  expect(screen.panel.focused()).toBe(true);
});

test('the upward key recalls the last question into an empty composer only', async () => {
  const screen = await answered();
  screen.type('x');
  await screen.until(() => screen.send.getAttribute('aria-disabled') === 'false');
  expect(screen.key('ArrowUp')).toBe(true);
  expect(screen.composer.value).toBe('x');
  screen.type('');
  await screen.until(() => screen.send.getAttribute('aria-disabled') === 'true');
  expect(screen.key('ArrowUp')).toBe(false);
  await screen.until(() => screen.composer.value === 'Why?');
});

test('each conversation keeps what was typed in it, over a reload too, until it is sent', async () => {
  const [script, place] = [new Script(), new Place()];
  script.store('c1', [message('user', 'q'), message('assistant', 'stored', { run_id: 'r' })]);
  place.remembered = 'c1';
  const screen = new Screen(script, place);
  await screen.shows('stored');
  screen.type('for c1');
  screen.button('New conversation').click();
  await screen.until(() => screen.composer.value === '');
  screen.type('for a new one');
  screen.panel.dispose();
  const again = new Screen(script, place);
  await again.until(() => again.composer.value === 'for a new one');
  again.find('.jp-Assistant-title').click();
  await again.until(() => again.all('.jp-Assistant-open').length === 1);
  again.find('.jp-Assistant-open').click();
  await again.until(() => again.composer.value === 'for c1');
  await again.until(() => again.send.getAttribute('aria-disabled') === 'false');
  again.key('Enter');
  await again.until(() => again.composer.value === '');
  expect(place.drafts.get('c1')).toBe('');
  expect(place.drafts.get('')).toBe('for a new one');
});

test('what is typed while a new conversation gets its id moves with it', async () => {
  const screen = new Screen();
  await screen.ask('x');
  screen.type('next');
  screen.stream.run('r', 'c7').token('a');
  await screen.until(() => screen.place.drafts.get('c7') === 'next');
  expect(screen.place.drafts.get('')).toBe('');
  expect(screen.composer.value).toBe('next');
});

test('the thinking says how long it took where that was witnessed', () => {
  const answer = { ...awaited('a'), reasoning: 'Hm.', state: 'stop' as const, text: 'So.' };
  expect(thoughtSummary({ ...answer, thought: { from: 1_000, to: 13_200 } }, ENGLISH)).toBe('Thought for 12 s');
  expect(thoughtSummary({ ...answer, thought: { from: 0, to: 200 } }, ENGLISH)).toBe('Thoughts');
  expect(thoughtSummary(answer, ENGLISH)).toBe('Thoughts');
  expect(thoughtSummary({ ...answer, state: 'running', text: '' }, ENGLISH)).toBe('Thinking…');
});
