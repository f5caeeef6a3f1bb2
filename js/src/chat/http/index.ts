/**
 * Transport over HTTP (DESIGN §4): JSON and event streams through a `fetch` the host gives, which knows the server's
 * address and proves who we are.
 *
 * The law: a refusal is a `Refused`, everything that looks like a broken wire or a broken proxy is a `Lost`.
 */

import type { Numbered, Question } from '../protocol';
import {
  answerEvents,
  catalogue,
  fileName,
  listing,
  mcpClients,
  parse,
  preview,
  refusal,
  runEvent,
  settings,
  storedConversation,
  trial
} from '../protocol';
import type { Transport } from '../transport';
import { Lost, Refused } from '../transport';
import { heaps } from './heaps';
import { FrameParser } from './sse';

/** `path` is relative to the assistant's routes, such as `chat/stream`. */
export type Fetch = (path: string, init: RequestInit) => Promise<Response>;

/** Milliseconds of silence after which a stream counts as lost: three heartbeats. */
const SILENCE = 45_000;

const JSON_HEADERS = { 'Content-Type': 'application/json', Accept: 'application/json' };

function posted(body: unknown, signal: AbortSignal, accept = 'application/json'): RequestInit {
  return { method: 'POST', body: JSON.stringify(body), headers: { ...JSON_HEADERS, Accept: accept }, signal };
}

/** What our own server says it cannot do just now, rather than a proxy before it. */
const UNAVAILABLE = ['store_unavailable', 'settings_unavailable', 'misconfigured'];

async function refused(response: Response): Promise<Error> {
  const { failure, run_id, snapshot } = refusal(parse(await response.text()));
  if (response.status >= 500 && !UNAVAILABLE.includes(failure.code)) {
    return new Lost(`status ${response.status}`);
  }
  const text = failure.text || `The server refused the request (status ${response.status}).`;
  const hint = failure.hint || (response.status === 403 ? 'Sign in again by reloading the page.' : '');
  return new Refused(response.status, { ...failure, text, hint }, run_id, snapshot);
}

async function* numbered(response: Response, silence: number): AsyncGenerator<Numbered> {
  if (!response.body || !response.headers.get('Content-Type')?.startsWith('text/event-stream')) {
    throw new Lost('not an event stream');
  }
  const parser = new FrameParser();
  for await (const heap of heaps(response.body, silence)) {
    for (const frame of heap.flatMap(piece => parser.push(piece))) {
      yield { number: Number(frame.id), event: runEvent(frame.name, parse(frame.data)) };
      if (frame.name === 'done') {
        return;
      }
    }
  }
  throw new Lost('ended early');
}

/** The assistant over `fetch`. `silence` in milliseconds. */
export function httpTransport(fetch: Fetch, silence = SILENCE): Transport {
  async function send(path: string, init: RequestInit): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(path, init);
    } catch (error) {
      init.signal?.throwIfAborted();
      throw new Lost('no answer', { cause: error });
    }
    if (!response.ok) {
      throw await refused(response);
    }
    return response;
  }

  async function json(path: string, init: RequestInit): Promise<unknown> {
    const response = await send(path, init);
    const value = response.status === 204 ? null : parse(await response.text());
    if (value === undefined) {
      throw new Lost('not JSON');
    }
    return value;
  }

  async function* stream(path: string, init: RequestInit): AsyncGenerator<Numbered> {
    const response = await send(path, init);
    try {
      yield* numbered(response, silence);
    } catch (error) {
      init.signal?.throwIfAborted();
      throw error instanceof Lost ? error : new Lost('cut', { cause: error });
    }
  }

  const asked = (signal: AbortSignal): RequestInit => ({
    method: 'GET',
    headers: { Accept: 'application/json' },
    signal
  });
  const run = (id: string): string => `chat/${encodeURIComponent(id)}`;
  const conversation = (id: string): string => `conversations/${encodeURIComponent(id)}`;

  return {
    ask: (question: Question, signal) => stream('chat/stream', posted(question, signal, 'text/event-stream')),
    resume: (run_id, after, signal) =>
      stream(`${run(run_id)}/stream`, {
        method: 'GET',
        headers: { Accept: 'text/event-stream', ...(after > 0 ? { 'Last-Event-ID': String(after) } : {}) },
        signal
      }),
    answer: async (question, signal) => answerEvents(await json('chat', posted(question, signal))),
    stop: async (run_id, signal) => {
      await send(`${run(run_id)}/stop`, posted({}, signal));
    },
    preview: async (question, signal) => preview(await json('preview', posted(question, signal))),
    conversations: async (archived, signal) =>
      listing(await json(archived ? 'conversations?archived=1' : 'conversations', asked(signal))),
    conversation: async (id, signal) => storedConversation(await json(conversation(id), asked(signal))),
    change: async (id, change, signal) => {
      await json(conversation(id), { ...posted(change, signal), method: 'PATCH' });
    },
    remove: async (id, signal) => {
      await send(conversation(id), { ...asked(signal), method: 'DELETE' });
    },
    exported: async (id, format, signal) => {
      const response = await send(`${conversation(id)}/export?format=${format}`, asked(signal));
      const name = fileName(response.headers.get('Content-Disposition') ?? '', `conversation.${format}`);
      return { name, type: response.headers.get('Content-Type') ?? 'text/plain', text: await response.text() };
    },
    models: async signal => catalogue(await json('models', asked(signal))),
    lookForModels: async signal => catalogue(await json('models/refresh', posted({}, signal))),
    tryModel: async (tried, signal) => trial(await json('models/test', posted(tried, signal))),
    settings: async signal => settings(await json('settings', asked(signal))),
    configure: async (changes, signal) =>
      settings(await json('settings', { ...posted(changes, signal), method: 'PATCH' })),
    mcpClients: async signal =>
      mcpClients(await json(`mcp/clients?origin=${encodeURIComponent(location.origin)}`, asked(signal)))
  };
}
