import { expect, test, vi } from 'vitest';
import type { Answer, Conversation } from '../src/chat/conversation';
import { begin, running, shown } from '../src/chat/conversation';
import { Intents } from '../src/chat/intents';
import { answerEvents, storedMessage } from '../src/chat/protocol';
import { Store } from '../src/chat/store';
import { Refused } from '../src/chat/transport';
import { Place, Script, message } from './script';

function begun(): { script: Script; place: Place; store: Store; intents: Intents; abort: AbortController } {
  const [script, place, store, abort] = [new Script(), new Place(), new Store(begin('k0')), new AbortController()];
  let ids = 0;
  const surroundings = {
    store,
    transport: script,
    host: place,
    pause: () => Promise.resolve(),
    id: () => `id-${++ids}`
  };
  return { script, place, store, intents: new Intents(surroundings, abort.signal), abort };
}

const until = (check: () => boolean): Promise<unknown> => vi.waitUntil(check, { timeout: 4_000, interval: 1 });

function last(conversation: Conversation): Answer | undefined {
  const entry = conversation.entries.at(-1);
  return entry?.role === 'assistant' ? entry : undefined;
}

test('two conversations answer at once and nothing of one lands in the other', async () => {
  const { script, store, intents } = begun();
  intents.ask('one');
  script.asked[0]?.stream.run('r1', 'c1').token('first ');
  await until(() => last(shown(store.chat))?.text === 'first ');
  intents.fresh();
  intents.ask('two');
  script.asked[1]?.stream.run('r2', 'c2').token('second ');
  script.asked[0]?.stream.token('answer').done();
  await until(() => last(shown(store.chat))?.text === 'second ');
  await until(() => Object.values(store.chat.conversations).some(each => last(each)?.text === 'first answer'));
  expect(running(shown(store.chat))).toMatchObject({ run_id: 'r2' });
  expect(script.stopped).toEqual([]);
  await intents.open('c1');
  expect(last(shown(store.chat))).toBeUndefined();
});

test('leaving a conversation and coming back keeps the same reader', async () => {
  const { script, store, intents, place } = begun();
  intents.ask('one');
  script.asked[0]?.stream.run('r1', 'c1').token('a');
  await until(() => shown(store.chat).id === 'c1');
  intents.fresh();
  expect(place.remembered).toBe('');
  await intents.open('c1');
  script.asked[0]?.stream.token('b').done();
  await until(() => last(shown(store.chat))?.text === 'ab');
  expect(script.resumed).toEqual([]);
  expect(place.remembered).toBe('c1');
});

test('the clean-up of a replaced reader never touches its successor', async () => {
  const { script, store, intents } = begun();
  intents.ask('one');
  const first = script.asked[0]?.stream;
  first?.run('r1', 'c1').token('a');
  first?.refuse(404, 'not_found');
  script.store(
    'c1',
    [message('user', 'one'), message('assistant', '', { id: 'm', run_id: 'r2', state: 'running' })],
    'r2'
  );
  await until(() => script.resumed.length === 1);
  const second = script.resumed[0]?.stream;
  second?.run('r2', 'c1').token('still ');
  first?.token('too late').fail(new Error('too late'));
  await until(() => last(shown(store.chat))?.text === 'still ');
  await intents.open('c1');
  expect(script.resumed).toHaveLength(1);
  second?.token('here').done();
  await until(() => last(shown(store.chat))?.state === 'stop');
  expect(last(shown(store.chat))?.text).toBe('still here');
});

test('an answer restarted in place ignores what its first reader still brings', async () => {
  const { script, store, intents } = begun();
  intents.ask('one');
  script.asked[0]?.stream.lose();
  await until(() => last(shown(store.chat))?.state === 'error');
  const failed = last(shown(store.chat));
  if (failed) {
    intents.remedy(failed, 'retry');
  }
  script.asked[0]?.stream.token('ghost');
  script.asked[1]?.stream.run().token('real').done();
  await until(() => last(shown(store.chat))?.state === 'stop');
  expect(last(shown(store.chat))?.text).toBe('real');
});

test('a question to a busy conversation goes back to the composer and the running answer is joined', async () => {
  const { script, store, intents } = begun();
  script.store('c1', [message('user', 'elsewhere')]);
  await intents.open('c1');
  intents.ask('mine');
  script.store(
    'c1',
    [message('user', 'elsewhere'), message('assistant', '', { id: 'm', run_id: 'r9', state: 'running' })],
    'r9'
  );
  script.asked[0]?.stream.refuse(409, 'conversation_busy', 'r9');
  await until(() => script.resumed.length === 1);
  expect(script.resumed[0]?.run_id).toBe('r9');
  expect(store.chat.draft).toEqual({ text: 'mine' });
  expect(store.chat.complaint?.code).toBe('conversation_busy');
  expect(shown(store.chat).entries.map(entry => entry.text)).toEqual(['elsewhere', '']);
});

test('a run the server has forgotten is read from the store, once', async () => {
  const { script, store, intents } = begun();
  script.store(
    'c1',
    [message('user', 'q'), message('assistant', 'kept', { id: 'm', run_id: 'r1', state: 'interrupted' })],
    'r1'
  );
  await intents.open('c1');
  await until(() => script.resumed.length === 1);
  script.store('c1', [message('user', 'q'), message('assistant', 'kept', { run_id: 'r1', state: 'interrupted' })]);
  script.resumed[0]?.stream.refuse(404, 'not_found');
  await until(() => last(shown(store.chat))?.text === 'kept');
  expect(last(shown(store.chat))?.state).toBe('interrupted');
  expect(script.resumed).toHaveLength(1);
});

test('a snapshot replaces what was heard', async () => {
  const { script, store, intents } = begun();
  intents.ask('one');
  script.asked[0]?.stream.run('r1', 'c1').token('a');
  script.asked[0]?.stream.lose();
  await until(() => script.resumed.length === 1);
  script.resumed[0]?.stream.refuse(410, 'gone', '', storedMessage(message('assistant', 'all of it', { run_id: 'r1' })));
  await until(() => last(shown(store.chat))?.state === 'stop');
  expect(last(shown(store.chat))?.text).toBe('all of it');
});

test('a stop that is pressed while the answer comes in one piece ends it here and on the server', async () => {
  const { script, store, intents } = begun();
  script.store('c1', [message('user', 'q')]);
  await intents.open('c1');
  const never = new Promise<never>(() => undefined);
  script.whole = () => never;
  intents.ask('two');
  script.asked[0]?.stream.lose();
  await until(() => last(shown(store.chat))?.wire === 'whole');
  script.store('c1', [message('user', 'q')], 'r5');
  intents.stop();
  await until(() => script.stopped.length === 1);
  expect(script.stopped).toEqual(['r5']);
  expect(last(shown(store.chat))?.state).toBe('cancelled');
});

test('an answer in one piece is shown like a streamed one', async () => {
  const { script, store, intents } = begun();
  const answer = { run_id: 'r1', conversation_id: 'c1', text: 'whole', reason: 'stop', sources: [], usage: null };
  script.whole = () => Promise.resolve(answerEvents(answer));
  intents.ask('one');
  script.asked[0]?.stream.lose();
  await until(() => last(shown(store.chat))?.state === 'stop');
  expect(last(shown(store.chat))).toMatchObject({ text: 'whole', run_id: 'r1' });
});

test('a stop that does not get through can be pressed again', async () => {
  const { script, store, intents } = begun();
  intents.ask('one');
  script.asked[0]?.stream.run();
  await until(() => last(shown(store.chat))?.run_id === 'run-1');
  script.halt = () => Promise.reject(new Refused(403, { code: 'forbidden', text: 'no', hint: '' }));
  intents.stop();
  await until(() => last(shown(store.chat))?.stopping === false);
  script.halt = () => Promise.resolve();
  intents.stop();
  expect(script.stopped).toEqual(['run-1', 'run-1']);
});

test('a stop that was pressed offline is passed on when the connection is back', async () => {
  const { script, store, intents } = begun();
  intents.ask('one');
  script.asked[0]?.stream.run().lose();
  await until(() => script.resumed.length === 1);
  intents.stop();
  script.resumed[0]?.stream.token('a');
  await until(() => script.stopped.length === 2);
  script.resumed[0]?.stream.done('cancelled');
  await until(() => last(shown(store.chat))?.state === 'cancelled');
});

test('a question stopped before anything came, whose connection then fails, is simply stopped', async () => {
  const { script, store, intents } = begun();
  intents.ask('one');
  intents.stop();
  script.asked[0]?.stream.lose();
  await until(() => last(shown(store.chat))?.state === 'cancelled');
  expect(last(shown(store.chat))?.failure).toBeNull();
});

test('one answer at a time in a conversation', () => {
  const { script, intents } = begun();
  expect(intents.ask('one')).toBe(true);
  expect(intents.ask('two')).toBe(false);
  expect(script.asked).toHaveLength(1);
});

test('when the panel ends, every reader ends and nothing is said of it', async () => {
  const { script, store, intents, abort } = begun();
  intents.ask('one');
  script.asked[0]?.stream.run();
  await until(() => last(shown(store.chat))?.run_id === 'run-1');
  abort.abort();
  script.asked[0]?.stream.lose();
  await until(() => script.asked[0]?.stream.signal.aborted === true);
  expect(last(shown(store.chat))?.failure).toBeNull();
});

test('a reload before the run was heard of sends the same question again, and only then', async () => {
  const before = begun();
  before.intents.ask('one');
  const after = begun();
  after.place.question = before.place.question;
  await after.intents.start();
  expect(after.script.asked[0]?.question).toEqual(before.script.asked[0]?.question);
  after.script.asked[0]?.stream.run('r1', 'c1').token('here').done();
  await until(() => last(shown(after.store.chat))?.state === 'stop');
  expect(after.place.question).toBeNull();
  expect(after.place.remembered).toBe('c1');
});

test('who turned to another conversation is not taken back by a reload', () => {
  const { intents, place } = begun();
  intents.ask('one');
  expect(place.question).not.toBeNull();
  intents.fresh();
  expect(place.question).toBeNull();
});

test('the run of one conversation leaves the waiting question of another', async () => {
  const { script, store, intents, place } = begun();
  intents.ask('one');
  intents.fresh();
  intents.ask('two');
  script.asked[0]?.stream.run('r1', 'c1').token('a');
  await until(() => Object.values(store.chat.conversations).some(each => each.id === 'c1'));
  expect(place.question?.question).toBe('two');
});

function limited(script: Script, at: number, seconds: number): void {
  const failure = { code: 'rate_limited', text: 'slow down', hint: '', retry_after: seconds };
  script.asked[at]?.stream.run(`r${at}`, 'c1').tell('error', failure).done('error');
}

test('a question that came too often is asked again by itself, once', async () => {
  const { script, store, intents } = begun();
  intents.ask('one');
  limited(script, 0, 0.01);
  await until(() => script.asked.length === 2);
  expect(script.asked[1]?.question).toMatchObject({ question: 'one', conversation_id: 'c1' });
  limited(script, 1, 0.01);
  await until(() => last(shown(store.chat))?.state === 'error');
  await new Promise(resolve => setTimeout(resolve, 50));
  expect(script.asked).toHaveLength(2);
  expect(last(shown(store.chat))?.until).toBeNull();
});

test('waiting is cancelled by its button, by Stop and by another question', async () => {
  const { script, store, intents } = begun();
  const waits = (): boolean => typeof last(shown(store.chat))?.until === 'number';
  intents.ask('one');
  limited(script, 0, 60);
  await until(waits);
  const answer = last(shown(store.chat));
  if (answer) {
    intents.remedy(answer, 'cancel');
  }
  await until(() => !waits());
  intents.ask('two');
  limited(script, 1, 60);
  await until(waits);
  intents.stop();
  await until(() => !waits());
  intents.ask('three');
  limited(script, 2, 60);
  await until(waits);
  intents.ask('four');
  await until(() => shown(store.chat).entries.every(entry => entry.role === 'user' || entry.until === null));
  expect(script.asked.map(({ question }) => question.question)).toEqual(['one', 'two', 'three', 'four']);
});

test('a mended answer is asked again once, and only while it is the last one', async () => {
  const { script, store, intents } = begun();
  intents.ask('one');
  script.asked[0]?.stream.run('r0', 'c1').tell('error', { code: 'key_rejected', text: 'no' }).done('error');
  await until(() => last(shown(store.chat))?.state === 'error');
  const failed = last(shown(store.chat));
  if (failed) {
    intents.remedy(failed, 'key');
  }
  expect(store.chat.dialog).toBe('connect');
  intents.mended();
  intents.mended();
  expect(script.asked.map(({ question }) => question.question)).toEqual(['one', 'one']);
});

test('a question can be asked without the notebook it fails for', async () => {
  const { script, store, intents } = begun();
  intents.ask('one');
  script.asked[0]?.stream.run('r0', 'c1').tell('error', { code: 'notebook_not_found', text: 'no' }).done('error');
  await until(() => last(shown(store.chat))?.state === 'error');
  const failed = last(shown(store.chat));
  if (failed) {
    intents.remedy(failed, 'bare');
  }
  expect(script.asked[0]?.question.notebook).toBeDefined();
  expect(script.asked[1]?.question).toEqual({
    question: 'one',
    conversation_id: 'c1',
    request_id: expect.any(String) as string
  });
});

test('what was heard here keeps its ids when the stored conversation is loaded', async () => {
  const { script, store, intents } = begun();
  intents.ask('one');
  script.asked[0]?.stream.run('r1', 'c1').token('half').done();
  await until(() => last(shown(store.chat))?.state === 'stop');
  const before = shown(store.chat).entries.map(({ id }) => id);
  script.store(
    'c1',
    [
      message('user', 'one', { run_id: 'r1' }),
      message('assistant', 'half and more', { run_id: 'r1' }),
      message('user', 'two', { id: 'u2', run_id: 'r2' }),
      message('assistant', 'elsewhere', { id: 'a2', run_id: 'r2' })
    ],
    null,
    { updated: 9 }
  );
  await intents.returned();
  expect(shown(store.chat).entries.map(({ id }) => id)).toEqual([...before, 'u2', 'a2']);
  expect(last(shown(store.chat))?.text).toBe('elsewhere');
});
