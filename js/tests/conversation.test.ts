import { expect, test } from 'vitest';
import type { Action, Answer, Chat } from '../src/chat/conversation';
import { awaited, begin, reduce, running, shown } from '../src/chat/conversation';
import { remedy } from '../src/chat/remedies';
import { FrameParser } from '../src/chat/http/sse';
import { parse, runEvent, storedConversation, storedMessage } from '../src/chat/protocol';
import { goldenAnswer } from './script';

const golden = new FrameParser().push(goldenAnswer());

function asked(): Chat {
  return reduce(begin('k'), { do: 'ask', key: 'k', id: 'q', text: 'Why does it fail?', answer: 'a' });
}

function hear(name: string, data: unknown, number = 1, at = 0): Action {
  return { do: 'hear', key: 'k', answer: 'a', heard: { kind: 'event', number, event: runEvent(name, data) }, at };
}

function answer(chat: Chat): Answer {
  const last = shown(chat).entries.at(-1);
  if (last?.role !== 'assistant') {
    throw new Error('no answer');
  }
  return last;
}

test('the golden events become the golden answer', () => {
  const after = golden.map(frame => hear(frame.name, parse(frame.data), Number(frame.id))).reduce(reduce, asked());
  const end = answer(after);
  expect(shown(after)).toMatchObject({ id: 'conv-1', title: 'Why does the plot fail?' });
  expect(end).toMatchObject({
    run_id: 'run-1',
    model: 'offline/responder',
    state: 'stop',
    status: '',
    reasoning: 'The traceback names a column that the frame does not have.',
    usage: { input_tokens: 1240, output_tokens: 310, seconds: 2.4 },
    failure: null,
    last: golden.length
  });
  expect(end.text).toContain('`price` and `größe` – see cell 3 \u2028👩‍🔬:');
  expect(end.sources.map(source => source.cell_id)).toEqual(['load', 'plot']);
  expect(end.given?.items.map(item => item.kind)).toEqual(['notebook', 'cell', 'error', 'error']);
});

test('no action changes a state that was there before it', () => {
  const freeze = (value: unknown): void => {
    if (typeof value === 'object' && value !== null) {
      Object.freeze(value);
      Object.values(value).forEach(freeze);
    }
  };
  let chat = asked();
  for (const frame of golden) {
    freeze(chat);
    chat = reduce(chat, hear(frame.name, parse(frame.data), Number(frame.id)));
  }
  expect(running(shown(chat))).toBeNull();
});

test('an event for another answer or another conversation changes nothing', () => {
  const chat = asked();
  const heard = { kind: 'event', number: 1, event: runEvent('token', { text: 'x' }) } as const;
  expect(reduce(chat, { do: 'hear', key: 'k', answer: 'other', heard, at: 0 })).toBe(chat);
  expect(reduce(chat, { do: 'hear', key: 'other', answer: 'a', heard, at: 0 })).toBe(chat);
});

test('what has ended stays as it ended', () => {
  const ended = reduce(asked(), hear('done', { reason: 'cancelled' }));
  expect(reduce(ended, hear('token', { text: 'late' }, 2))).toBe(ended);
  expect(reduce(ended, hear('title', { text: 'late' }, 3))).toBe(ended);
  expect(answer(ended).state).toBe('cancelled');
});

test('a title that comes while the answer runs names the conversation', () => {
  expect(shown(reduce(asked(), hear('title', { text: 'A name' }))).title).toBe('A name');
});

test('an unknown event is counted and otherwise ignored', () => {
  const after = answer(reduce(asked(), hear('tool_call', { call_id: 'x' }, 4)));
  expect(after).toEqual({ ...awaited('a'), asked: true, last: 4 });
});

test('text and reasoning are kept when an error ends the answer', () => {
  const chat = [
    hear('reasoning', { text: 'hm' }),
    hear('token', { text: 'half' }, 2),
    hear('error', { code: 'gateway_cut', text: 'Cut off.', hint: 'Ask again.' }, 3),
    hear('done', { reason: 'error' }, 4)
  ].reduce(reduce, asked());
  expect(answer(chat)).toMatchObject({
    text: 'half',
    reasoning: 'hm',
    state: 'error',
    failure: { code: 'gateway_cut' }
  });
});

test('a withdrawn question leaves no trace but a draft', () => {
  const chat = reduce(asked(), { do: 'withdraw', key: 'k', answer: 'a' });
  expect(shown(chat).entries).toEqual([]);
  expect(chat.draft).toEqual({ text: 'Why does it fail?' });
});

test('a loaded conversation starts its running answer empty and keeps the others', () => {
  const conversation = storedConversation({
    id: 'c',
    title: 'T',
    run_id: 'r2',
    messages: [
      { id: 'm1', role: 'user', parts: [{ type: 'text', text: 'one' }], run_id: 'r1', state: 'done' },
      { id: 'm2', role: 'assistant', parts: [{ type: 'text', text: 'first' }], run_id: 'r1', state: 'interrupted' },
      { id: 'm3', role: 'user', parts: [{ type: 'text', text: 'two' }], run_id: 'r2', state: 'done' },
      { id: 'm4', role: 'assistant', parts: [{ type: 'text', text: 'half' }], run_id: 'r2', state: 'running' }
    ]
  });
  const { entries } = shown(reduce(begin('k'), { do: 'loaded', key: 'k', conversation }));
  expect(entries.map(entry => [entry.role, entry.text])).toEqual([
    ['user', 'one'],
    ['assistant', 'first'],
    ['user', 'two'],
    ['assistant', '']
  ]);
  expect(entries.at(-1)).toMatchObject({ id: 'm4', run_id: 'r2', state: 'running' });
});

test('a running answer that is not stored yet is awaited all the same', () => {
  const conversation = storedConversation({ id: 'c', title: '', run_id: 'r1', messages: [] });
  const chat = reduce(begin('k'), { do: 'loaded', key: 'k', conversation });
  expect(running(shown(chat))).toMatchObject({ run_id: 'r1' });
});

test.each([
  ['gateway_cut', 'half', 'r', 'continue'],
  ['gateway_cut', '', 'r', 'retry'],
  ['rate_limited', '', 'r', 'retry'],
  ['connection_lost', 'half', 'r', 'reconnect'],
  ['connection_lost', '', '', 'retry'],
  ['invalid', '', '', 'edit']
])('an answer that failed with %s (text %j, run %j) offers: %s', (code, text, run_id, wanted) => {
  const failed: Answer = { ...awaited('a', run_id), state: 'error', text, failure: { code, text: 'x', hint: '' } };
  expect(remedy(failed)).toBe(wanted);
});

test.each([null, 7, 'x', [], {}, { parts: 'x' }, { parts: [null, 3, {}] }])(
  'a message of the shape %j is read as an empty one',
  value => {
    expect(storedMessage(value)).toMatchObject({ role: 'assistant', text: '', sources: [], failure: null });
  }
);

test.each(['token', 'context', 'sources', 'usage', 'error', 'done', 'run'])(
  '%s with data of a wrong shape is read with defaults',
  name => {
    for (const data of [undefined, null, 3, 'x', [1], { text: 5, items: 'x', reason: 'odd' }]) {
      expect(runEvent(name, data)?.name).toBe(name);
    }
  }
);

test('what was heard stays when a killed server has stored less of it', () => {
  const heard = [
    hear('run', { run_id: 'r1', conversation_id: 'c1', model: 'm' }, 1),
    hear('token', { text: 'word0 word1' }, 2)
  ].reduce(reduce, asked());
  const conversation = storedConversation({
    id: 'c1',
    messages: [
      { id: 'q', role: 'user', parts: [{ type: 'text', text: 'Why does it fail?' }] },
      { id: 'm', role: 'assistant', run_id: 'r1', state: 'interrupted', parts: [] }
    ]
  });
  const after = answer(reduce(heard, { do: 'loaded', key: 'k', conversation }));
  expect(after).toMatchObject({ state: 'interrupted', text: 'word0 word1' });
});

test('thinking is timed from its first to its last event, of an answer asked for here', () => {
  const chat = [
    hear('reasoning', { text: 'H' }, 1, 1_000),
    hear('reasoning', { text: 'm.' }, 2, 4_500),
    hear('token', { text: 'So.' }, 3, 9_000)
  ].reduce(reduce, asked());
  expect(answer(chat)).toMatchObject({ reasoning: 'Hm.', thought: { from: 1_000, to: 4_500 } });
});
