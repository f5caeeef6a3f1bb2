import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ENGLISH } from '../src/chat/host';
import { httpTransport } from '../src/chat/http';
import { Lost, Refused } from '../src/chat/transport';
import type { KernelState } from '../src/panel/comm';
import { Kernel } from '../src/panel/comm';
import { collected } from './script';

interface Sent {
  readonly kind: string;
  readonly id: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

function there<Thing>(thing: Thing | undefined): Thing {
  if (thing === undefined) {
    throw new Error('nothing was sent');
  }
  return thing;
}

/** A kernel that the test plays: what was sent to it, and what it says. */
class Played {
  readonly sent: Sent[] = [];
  readonly states: KernelState[] = [];
  readonly lifetime = new AbortController();
  readonly kernel: Kernel;
  awake = true;
  #ids = 0;

  constructor() {
    this.kernel = new Kernel(
      {
        send: content => {
          const message = content as Sent;
          this.sent.push(message);
          if (this.awake && message.kind === 'knock') {
            queueMicrotask(() => {
              this.say(message, 'taken');
            });
          }
        },
        id: () => `id-${++this.#ids}`,
        trans: ENGLISH,
        onState: state => {
          this.states.push(state);
        },
        patience: { busy: 1_000, most: 60_000 }
      },
      this.lifetime.signal
    );
  }

  say({ id }: Sent, kind: string, more: object = {}): void {
    this.kernel.hear({ kind, id, ...more });
  }

  of(kind: string): Sent[] {
    return this.sent.filter(message => message.kind === kind);
  }

  async request(): Promise<Sent> {
    await vi.waitFor(() => {
      expect(this.of('request')).not.toEqual([]);
    });
    return there(this.of('request').at(-1));
  }

  head(request: Sent, status = 200, type = 'text/event-stream; charset=utf-8'): void {
    this.say(request, 'head', { status, headers: { 'content-type': type } });
  }
}

const QUESTION = { question: 'Why?', request_id: 'req-1' };
const RUN = 'id: 1\nevent: run\ndata: {"run_id":"r1","conversation_id":"c1","model":"m"}\n\n';
const DONE = 'id: 2\nevent: done\ndata: {"reason":"stop"}\n\n';

let played: Played;

beforeEach(() => {
  played = new Played();
});

afterEach(() => {
  vi.useRealTimers();
  played.lifetime.abort();
});

test('a question goes as a message and its events come back in pieces, cut anywhere', async () => {
  const abort = new AbortController();
  const events = collected(httpTransport(played.kernel.fetch).ask(QUESTION, abort.signal));
  const request = await played.request();
  expect(request).toMatchObject({ method: 'POST', path: 'chat/stream', body: JSON.stringify(QUESTION) });
  expect(request.headers).toMatchObject({ Accept: 'text/event-stream' });
  played.head(request);
  for (const piece of RUN + DONE) {
    played.say(request, 'chunk', { text: piece });
  }
  expect((await events).map(({ number, event }) => [number, event?.name])).toEqual([
    [1, 'run'],
    [2, 'done']
  ]);
});

test('answers of two requests do not mix', async () => {
  const transport = httpTransport(played.kernel.fetch);
  const { signal } = new AbortController();
  const [models, settings] = [transport.models(signal), transport.settings(signal)];
  await vi.waitFor(() => {
    expect(played.of('request')).toHaveLength(2);
  });
  for (const request of played.of('request').toReversed()) {
    played.head(request, 200, 'application/json');
    const body = request.path === 'models' ? { default: 'a/b' } : { settings: { model: 'x' } };
    played.say(request, 'chunk', { text: JSON.stringify(body) });
    played.say(request, 'end');
  }
  expect((await models).default).toBe('a/b');
  expect((await settings).map(({ name }) => name)).toEqual(['model']);
});

test('an answer without a body is one', async () => {
  const removed = httpTransport(played.kernel.fetch).remove('c1', new AbortController().signal);
  const request = await played.request();
  expect(request).toMatchObject({ method: 'DELETE', path: 'conversations/c1' });
  played.head(request, 204);
  played.say(request, 'end');
  await expect(removed).resolves.toBeUndefined();
});

test('a kernel that says nothing is busy, and free again with its first word', async () => {
  vi.useFakeTimers();
  played.awake = false;
  const models = httpTransport(played.kernel.fetch).models(new AbortController().signal);
  await vi.advanceTimersByTimeAsync(999);
  expect(played.states).toEqual([]);
  await vi.advanceTimersByTimeAsync(3_600_000); // to read is worth any time
  expect(played.states).toEqual(['busy']);
  played.say(there(played.sent[0]), 'taken');
  expect(played.states).toEqual(['busy', 'free']);
  vi.useRealTimers();
  const request = await played.request();
  played.head(request, 200, 'application/json');
  played.say(request, 'chunk', { text: '{}' });
  played.say(request, 'end');
  expect((await models).models).toEqual([]);
});

test('a question that a busy kernel did not take in time was never asked, and says so', async () => {
  vi.useFakeTimers();
  played.awake = false;
  const asked = collected(httpTransport(played.kernel.fetch).ask(QUESTION, new AbortController().signal));
  const refused = expect(asked).rejects.toMatchObject({ failure: { code: 'kernel_busy' } });
  await vi.advanceTimersByTimeAsync(60_000);
  await refused;
  played.say(there(played.sent[0]), 'taken'); // it has waited in the kernel's queue
  await vi.advanceTimersByTimeAsync(60_000);
  expect(played.of('request')).toEqual([]);
});

test('a view that goes while the kernel is busy leaves nothing', async () => {
  vi.useFakeTimers();
  played.awake = false;
  const abort = new AbortController();
  const asked = played.kernel.fetch('chat/stream', { method: 'POST', body: '{}', signal: abort.signal });
  const ended = expect(asked).rejects.toThrow();
  await vi.advanceTimersByTimeAsync(2_000);
  abort.abort();
  await ended;
  expect(vi.getTimerCount()).toBe(0);
  played.say(there(played.sent[0]), 'taken');
  expect(played.of('request')).toEqual([]);
});

test('leaving an answer tells the kernel, and stops no run', async () => {
  const abort = new AbortController();
  const events = collected(httpTransport(played.kernel.fetch).ask(QUESTION, abort.signal));
  const request = await played.request();
  played.head(request);
  played.say(request, 'chunk', { text: RUN });
  await new Promise(resolve => setTimeout(resolve));
  abort.abort();
  await expect(events).rejects.toThrow();
  expect(played.of('cancel').map(({ id }) => id)).toContain(request.id);
  expect(played.of('request')).toHaveLength(1);
  played.say(request, 'chunk', { text: DONE }); // what is still on its way
});

test('a kernel that ends in the middle of an answer is a lost connection, and then a sentence', async () => {
  const transport = httpTransport(played.kernel.fetch);
  const { signal } = new AbortController();
  const events = collected(transport.ask(QUESTION, signal));
  const request = await played.request();
  played.head(request);
  played.say(request, 'chunk', { text: RUN });
  await new Promise(resolve => setTimeout(resolve));
  played.kernel.lose();
  await expect(events).rejects.toBeInstanceOf(Lost);
  expect(played.states).toEqual(['gone']);
  const again = collected(transport.resume('r1', 1, signal));
  await expect(again).rejects.toBeInstanceOf(Refused);
  await expect(again).rejects.toMatchObject({ failure: { code: 'kernel_gone' } });
  const before = played.sent.length;
  await expect(transport.models(signal)).rejects.toBeInstanceOf(Refused);
  expect(played.sent).toHaveLength(before);
});

test('a server that the kernel lost is a lost connection', async () => {
  const models = httpTransport(played.kernel.fetch).models(new AbortController().signal);
  const request = await played.request();
  played.say(request, 'lost');
  await expect(models).rejects.toBeInstanceOf(Lost);
});

test('messages of other shapes and of other views are passed over', async () => {
  const models = httpTransport(played.kernel.fetch).models(new AbortController().signal);
  const request = await played.request();
  for (const message of [null, 7, 'x', [], {}, { kind: 'head' }, { kind: 'chunk', id: 'other', text: '{}' }]) {
    played.kernel.hear(message);
  }
  played.head(request, 200, 'application/json');
  played.say(request, 'chunk', { text: { no: 'text' } });
  played.say(request, 'chunk', { text: '{"default":"m"}' });
  played.say(request, 'end');
  expect((await models).default).toBe('m');
});
