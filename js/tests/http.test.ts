import { expect, test } from 'vitest';
import type { Heard, Pause, Start } from '../src/chat/follow';
import { backOff, follow } from '../src/chat/follow';
import type { Fetch } from '../src/chat/http';
import { httpTransport } from '../src/chat/http';
import type { Question } from '../src/chat/protocol';
import { Lost, Refused } from '../src/chat/transport';
import { collected } from './script';

const QUESTION: Question = { question: 'Why?', request_id: 'req-1' };
const encoder = new TextEncoder();

function frames(from: number, ...events: [string, unknown][]): string {
  return events
    .map(([name, data], index) => `id: ${from + index}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
    .join('');
}

const RUN: [string, unknown] = ['run', { run_id: 'r1', conversation_id: 'c1', model: 'm' }];
const token = (text: string): [string, unknown] => ['token', { text }];
const DONE: [string, unknown] = ['done', { reason: 'stop' }];

function stream(text: string, cut = false): Response {
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (text) {
        controller.enqueue(encoder.encode(text));
        text = '';
      } else if (cut) {
        controller.error(new TypeError('network error'));
      } else {
        controller.close();
      }
    }
  });
  return new Response(body, { headers: { 'Content-Type': 'text/event-stream; charset=utf-8' } });
}

const json = (value: unknown, status = 200): Response => new Response(JSON.stringify(value), { status });
const refusal = (status: number, code: string, more: object = {}): Response =>
  json({ error: { code, message: `refused: ${code}`, hint: 'h', ...more } }, status);

interface Call {
  path: string;
  method: string;
  body: unknown;
  last: string | null;
}

/** A fetch that gives the answers in order; `undefined` is a network that fails. */
function fake(...answers: (Response | undefined)[]): { fetch: Fetch; calls: Call[] } {
  const calls: Call[] = [];
  const fetch: Fetch = (path, init) => {
    const headers = new Headers(init.headers);
    const body: unknown = typeof init.body === 'string' ? JSON.parse(init.body) : null;
    calls.push({ path, method: init.method ?? '', body, last: headers.get('Last-Event-ID') });
    const answer = answers.shift();
    return answer ? Promise.resolve(answer) : Promise.reject(new TypeError('Failed to fetch'));
  };
  return { fetch, calls };
}

async function heard(fetch: Fetch, start: Start = { question: QUESTION }, pauses: number[] = []): Promise<Heard[]> {
  const pause: Pause = ms => {
    pauses.push(ms);
    return Promise.resolve();
  };
  return collected(follow(httpTransport(fetch), start, pause, new AbortController().signal));
}

function said(all: Heard[]): string {
  return all.map(each => (each.kind === 'event' && each.event?.name === 'token' ? each.event.text : '')).join('');
}

const wires = (all: Heard[]): string[] => all.flatMap(each => (each.kind === 'wire' ? [each.state] : []));

test('a question is posted as JSON and its events come out in order', async () => {
  const { fetch, calls } = fake(stream(frames(1, RUN, token('a'), token('b'), DONE)));
  const all = await heard(fetch);
  expect(said(all)).toBe('ab');
  expect(all.map(each => each.kind === 'event' && each.number)).toEqual([1, 2, 3, 4]);
  expect(calls).toEqual([{ path: 'chat/stream', method: 'POST', body: QUESTION, last: null }]);
});

test.each([
  ['closed early', false],
  ['cut', true]
])('a connection that is %s is taken up after the last event heard', async (_, cut) => {
  const { fetch, calls } = fake(
    stream(frames(1, RUN, token('a')), cut),
    stream(frames(3, token('b')), cut),
    stream(frames(4, token('c'), DONE))
  );
  const all = await heard(fetch);
  expect(said(all)).toBe('abc');
  expect(wires(all)).toEqual(['lost', 'open', 'lost', 'open']);
  expect(calls.slice(1).map(call => [call.path, call.method, call.last])).toEqual([
    ['chat/r1/stream', 'GET', '2'],
    ['chat/r1/stream', 'GET', '3']
  ]);
});

test('a server that is away is asked again, less and less often', async () => {
  const { fetch } = fake(stream(frames(1, RUN)), undefined, undefined, json({}, 502), stream(frames(2, DONE)));
  const pauses: number[] = [];
  const all = await heard(fetch, { question: QUESTION }, pauses);
  expect(pauses).toEqual([0, 500, 1_000, 2_000]);
  expect(wires(all)).toEqual(['lost', 'lost', 'lost', 'lost', 'open']);
  expect(backOff(20)).toBe(15_000);
});

test('a server that stays away is given up in the end', async () => {
  const { fetch, calls } = fake(stream(frames(1, RUN)));
  await expect(heard(fetch)).rejects.toBeInstanceOf(Lost);
  expect(calls.length).toBeLessThan(40);
});

test('events that come twice are heard once', async () => {
  const { fetch } = fake(stream(frames(1, RUN, token('a'))), stream(frames(1, RUN, token('a'), token('b'), DONE)));
  expect(said(await heard(fetch))).toBe('ab');
});

test('a gap is asked for again', async () => {
  const { fetch, calls } = fake(
    stream(frames(1, RUN) + frames(5, token('z'), DONE)),
    stream(frames(2, token('a'), token('b'), token('c'), token('z'), DONE))
  );
  expect(said(await heard(fetch))).toBe('abcz');
  expect(calls[1]?.last).toBe('1');
});

test.each([
  ['fails', undefined],
  ['is cut by a proxy', json({}, 504)],
  ['gives another page', new Response('<html>', { headers: { 'Content-Type': 'text/html' } })],
  ['ends at once', stream(': \n\n')]
])('when the stream %s before its first event, the same question is asked whole', async (_, first) => {
  const answer = {
    run_id: 'r1',
    conversation_id: 'c1',
    text: 'all of it',
    reason: 'stop',
    sources: [{ title: 's', path: 'a.ipynb' }],
    usage: { input_tokens: 1, output_tokens: 2, seconds: 3 }
  };
  const { fetch, calls } = fake(first, json(answer));
  const all = await heard(fetch);
  expect(wires(all)).toEqual(['whole']);
  expect(all.flatMap(each => (each.kind === 'event' ? [each.event?.name] : []))).toEqual([
    'run',
    'sources',
    'token',
    'usage',
    'done'
  ]);
  expect(calls[1]).toEqual({ path: 'chat', method: 'POST', body: QUESTION, last: null });
});

test('a whole answer that failed ends with its error', async () => {
  const failed = {
    run_id: 'r',
    conversation_id: 'c',
    text: '',
    reason: 'error',
    error: { code: 'no_model', text: 'None.' }
  };
  const { fetch } = fake(undefined, json(failed));
  const names = (await heard(fetch)).flatMap(each => (each.kind === 'event' ? [each.event?.name] : []));
  expect(names).toEqual(['run', 'error', 'done']);
});

test('a refusal is not asked again and says what the server said', async () => {
  const { fetch, calls } = fake(refusal(409, 'conversation_busy', { run_id: 'r9' }));
  const error: unknown = await heard(fetch).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(Refused);
  expect(error).toMatchObject({ status: 409, run_id: 'r9', failure: { code: 'conversation_busy', hint: 'h' } });
  expect(calls).toHaveLength(1);
});

test('past the reach of the log the snapshot is taken, again until the answer has ended', async () => {
  const snapshot = (text: string, state: string): object => ({
    id: 'm',
    role: 'assistant',
    parts: [{ type: 'text', text }],
    run_id: 'r1',
    state
  });
  const gone = (text: string, state: string): Response =>
    json({ error: { code: 'gone', message: 'x', hint: '' }, snapshot: snapshot(text, state) }, 410);
  const { fetch } = fake(gone('half', 'running'), gone('half and half', 'done'));
  const all = await heard(fetch, { run_id: 'r1', after: 0 });
  expect(all.map(each => each.kind === 'snapshot' && [each.message.text, each.message.state])).toEqual([
    ['half', 'running'],
    ['half and half', 'stop']
  ]);
});

test('a run that is not known any more is refused as such', async () => {
  const { fetch } = fake(refusal(404, 'not_found'));
  await expect(heard(fetch, { run_id: 'r1', after: 3 })).rejects.toMatchObject({ status: 404 });
});

test('a run that is joined is heard from the beginning, without a word of a lost connection', async () => {
  const { fetch, calls } = fake(stream(frames(1, RUN, token('a'), DONE)));
  expect(wires(await heard(fetch, { run_id: 'r 1/x', after: 0 }))).toEqual([]);
  expect(calls[0]).toMatchObject({ path: 'chat/r%201%2Fx/stream', last: null });
});

test('a stream that falls silent counts as lost', async () => {
  const silent = new Response(new ReadableStream(), { headers: { 'Content-Type': 'text/event-stream' } });
  const { fetch } = fake(silent);
  const events = httpTransport(fetch, 1).resume('r1', 0, new AbortController().signal);
  await expect(collected(events)).rejects.toBeInstanceOf(Lost);
});

test('an aborted reader ends quietly and lets go of its connection', async () => {
  const abort = new AbortController();
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(encoder.encode(frames(1, RUN)));
    },
    cancel() {
      cancelled = true;
    }
  });
  const { fetch } = fake(new Response(body, { headers: { 'Content-Type': 'text/event-stream' } }));
  for await (const each of follow(
    httpTransport(fetch),
    { question: QUESTION },
    () => Promise.resolve(),
    abort.signal
  )) {
    expect(each.kind).toBe('event');
    abort.abort();
    break;
  }
  expect(cancelled).toBe(true);
});

test('the other routes are asked as the server has them', async () => {
  const { signal } = new AbortController();
  const { fetch, calls } = fake(
    new Response(null, { status: 204 }),
    json({
      items: [{ kind: 'cell', label: 'cell 1', chars: 3, text: 'abc', tokens: 1, redacted: 1 }],
      tokens: 1,
      budget: 9
    }),
    json({ conversations: [{ id: 'c1', title: 'T', updated: 1.5, pinned: true, run_id: null }], archived: 2 }),
    json({ conversations: [], archived: 2 }),
    json({ id: 'c1' }),
    new Response(null, { status: 204 }),
    new Response('# T', {
      headers: { 'Content-Disposition': "attachment; filename*=utf-8''a%20b.md", 'Content-Type': 'text/markdown' }
    }),
    json({ id: 'c1', title: 'T', messages: [] }),
    json({ default: 'offline/responder', providers: [{ name: 'offline' }, 3], models: [{ id: 'offline/responder' }] }),
    json({ default: 'x/y' }),
    json({ ok: false, model: 'm', error: { code: 'endpoint_not_found' }, suggestion: { base_url: 'http://h/v1' } }),
    json({ settings: { model: '' }, locked: ['model'] }),
    json({})
  );
  const transport = httpTransport(fetch);
  await transport.stop('r1', signal);
  expect((await transport.preview(QUESTION, signal)).items[0]).toMatchObject({ text: 'abc', redacted: 1 });
  expect(await transport.conversations(false, signal)).toEqual({
    conversations: [{ id: 'c1', title: 'T', updated: 1.5, pinned: true, run_id: '' }],
    archived: 2
  });
  expect((await transport.conversations(true, signal)).archived).toBe(2);
  await transport.change('c1', { pinned: true }, signal);
  await transport.remove('c1', signal);
  expect(await transport.exported('c1', 'md', signal)).toEqual({ name: 'a b.md', type: 'text/markdown', text: '# T' });
  expect((await transport.conversation('c1', signal)).title).toBe('T');
  expect(await transport.models(signal)).toMatchObject({ default: 'offline/responder', models: [{ name: '' }] });
  expect((await transport.lookForModels(signal)).default).toBe('x/y');
  expect(await transport.tryModel({ base_url: 'http://h', api_key: 'k' }, signal)).toMatchObject({
    failure: { code: 'endpoint_not_found' },
    suggestion: 'http://h/v1'
  });
  expect((await transport.settings(signal)).filter(({ locked }) => locked).map(({ name }) => name)).toEqual(['model']);
  await transport.configure({ model: null }, signal);
  expect(calls.map(call => `${call.method} ${call.path}`)).toEqual([
    'POST chat/r1/stop',
    'POST preview',
    'GET conversations',
    'GET conversations?archived=1',
    'PATCH conversations/c1',
    'DELETE conversations/c1',
    'GET conversations/c1/export?format=md',
    'GET conversations/c1',
    'GET models',
    'POST models/refresh',
    'POST models/test',
    'GET settings',
    'PATCH settings'
  ]);
});

test.each(['store_unavailable', 'settings_unavailable', 'misconfigured'])(
  'a server that says %s has answered, unlike a proxy before it',
  async code => {
    const { fetch } = fake(refusal(503, code), json({ error: { code: 'failed' } }, 503));
    const transport = httpTransport(fetch);
    const { signal } = new AbortController();
    await expect(transport.conversations(false, signal)).rejects.toMatchObject({ status: 503, failure: { code } });
    await expect(transport.conversations(false, signal)).rejects.toBeInstanceOf(Lost);
  }
);
