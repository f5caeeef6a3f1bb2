/** A transport that a test plays by hand, and a host that remembers what was asked of it. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host, Subject } from '../src/chat/host';
import { ENGLISH } from '../src/chat/host';
import type {
  Numbered,
  Preview,
  Question,
  RunEvent,
  StoredConversation,
  StoredMessage,
  Summary
} from '../src/chat/protocol';
import { runEvent, storedConversation } from '../src/chat/protocol';
import type { Transport } from '../src/chat/transport';
import { Lost, Refused } from '../src/chat/transport';

/** One stream, fed by the test. */
export class Stream implements AsyncIterable<Numbered> {
  readonly #queue: (Numbered | Error | null)[] = [];
  #wake: () => void = () => undefined;
  #number: number;

  constructor(
    readonly signal: AbortSignal,
    after = 0
  ) {
    this.#number = after;
    signal.addEventListener('abort', () => {
      this.#wake();
    });
  }

  tell(name: string, data: unknown = {}): this {
    this.#push({ number: ++this.#number, event: runEvent(name, data) });
    return this;
  }

  run(run_id = 'run-1', conversation_id = 'conv-1'): this {
    return this.tell('run', { run_id, conversation_id, model: 'test/model' });
  }

  token(text: string): this {
    return this.tell('token', { text });
  }

  done(reason = 'stop'): void {
    this.tell('done', { reason });
    this.#push(null);
  }

  fail(error: Error): void {
    this.#push(error);
  }

  lose(): void {
    this.fail(new Lost('cut'));
  }

  refuse(status: number, code: string, run_id = '', snapshot: StoredMessage | null = null): void {
    this.fail(new Refused(status, { code, text: `refused: ${code}`, hint: 'a hint' }, run_id, snapshot));
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Numbered> {
    for (;;) {
      this.signal.throwIfAborted();
      const next = this.#queue.shift();
      if (next === null) {
        return;
      }
      if (next instanceof Error) {
        throw next;
      }
      if (next) {
        yield next;
      } else {
        await new Promise<void>(resolve => (this.#wake = resolve));
      }
    }
  }

  #push(item: Numbered | Error | null): void {
    this.#queue.push(item);
    this.#wake();
  }
}

export class Script implements Transport {
  readonly asked: { question: Question; stream: Stream }[] = [];
  readonly resumed: { run_id: string; after: number; stream: Stream }[] = [];
  readonly stopped: string[] = [];
  stored: Record<string, StoredConversation> = {};
  whole: (question: Question) => Promise<RunEvent[]> = () => Promise.reject(new Lost('no answer'));
  halt: (run_id: string) => Promise<void> = () => Promise.resolve();
  name = '';

  ask(question: Question, signal: AbortSignal): Stream {
    const stream = new Stream(signal);
    this.asked.push({ question, stream });
    return stream;
  }

  resume(run_id: string, after: number, signal: AbortSignal): Stream {
    const stream = new Stream(signal, after);
    this.resumed.push({ run_id, after, stream });
    return stream;
  }

  answer(question: Question): Promise<RunEvent[]> {
    return this.whole(question);
  }

  stop(run_id: string): Promise<void> {
    this.stopped.push(run_id);
    return this.halt(run_id);
  }

  preview(): Promise<Preview> {
    return Promise.reject(new Lost('not played'));
  }

  conversations(): Promise<Summary[]> {
    return Promise.resolve(Object.values(this.stored));
  }

  conversation(id: string): Promise<StoredConversation> {
    const found = this.stored[id];
    return found
      ? Promise.resolve(found)
      : Promise.reject(new Refused(404, { code: 'not_found', text: 'unknown', hint: '' }));
  }

  model(): Promise<string> {
    return Promise.resolve(this.name);
  }

  store(id: string, messages: unknown[], run_id: string | null = null): void {
    this.stored[id] = storedConversation({ id, title: `Title of ${id}`, updated: 1, run_id, messages });
  }
}

export class Place implements Host {
  readonly trans = ENGLISH;
  readonly opened: [string, string][] = [];
  readonly copied: string[] = [];
  remembered = '';
  question: Question | null = null;
  failing = 0;
  about: Subject | null = { name: 'analysis.ipynb', cell: 3, selected: 0 };

  subject(): Subject | null {
    return this.about;
  }

  onSubject(): void {
    // nothing moves here
  }

  failingCell(): number {
    return this.failing;
  }

  notebook(): { path: string; cell_id: string } | null {
    return this.about ? { path: this.about.name, cell_id: 'c3' } : null;
  }

  openCell(path: string, cell_id: string): void {
    this.opened.push([path, cell_id]);
  }

  copy(text: string): Promise<void> {
    this.copied.push(text);
    return Promise.resolve();
  }

  highlight(code: string): Promise<{ text: string; className: string }[]> {
    return Promise.resolve([{ text: code, className: 'coloured' }]);
  }

  recall(): string {
    return this.remembered;
  }

  remember(id: string): void {
    this.remembered = id;
  }

  recallQuestion(): Question | null {
    return this.question;
  }

  rememberQuestion(question: Question | null): void {
    this.question = question;
  }
}

export function message(role: string, text: string, more: object = {}): object {
  return {
    id: `${role}-${text}`,
    role,
    parts: [{ type: 'text', text }],
    run_id: null,
    state: 'done',
    created: 1,
    ...more
  };
}

/** Everything an asynchronous sequence yields. */
export async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) {
    all.push(item);
  }
  return all;
}

/** The bytes of the answer that the server's tests read too. */
export function goldenAnswer(): Uint8Array {
  return readFileSync(join(import.meta.dirname, '../../tests/golden/answer.sse'));
}
