/** A transport that a test plays by hand, and a host that remembers what was asked of it. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Announce, Host, Part, Subject } from '../src/chat/host';
import { ENGLISH } from '../src/chat/host';
import type {
  Catalogue,
  Changes,
  Exported,
  Listing,
  McpClients,
  Numbered,
  Preview,
  Question,
  RunEvent,
  Setting,
  StoredConversation,
  StoredMessage,
  Trial,
  Tried
} from '../src/chat/protocol';
import { catalogue, mcpClients, runEvent, settings, storedConversation } from '../src/chat/protocol';
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
  readonly amended: [string, object][] = [];
  readonly removed: string[] = [];
  readonly archived = new Set<string>();
  stored: Record<string, StoredConversation> = {};
  listFailure: Error | null = null;
  changeFailure: Error | null = null;
  whole: (question: Question) => Promise<RunEvent[]> = () => Promise.reject(new Lost('no answer'));
  halt: (run_id: string) => Promise<void> = () => Promise.resolve();
  name = '';
  known: Catalogue | null = null;
  /** What looking for models finds, and what is known once settings were changed. */
  found: Catalogue | null = null;
  saved: Catalogue | null = null;
  locks: string[] = [];
  values: Record<string, unknown> = {
    base_url: '',
    api_key: false,
    model: '',
    context_tokens: 16_000,
    instructions: '',
    no_think: []
  };
  sources: Record<string, string> = {};
  /** Why settings are not taken. */
  refusal: Error | null = null;
  readonly tried: Tried[] = [];
  clients = mcpClients({
    tools: 'write',
    clients: [
      {
        name: 'claude',
        title: 'Claude Code',
        forms: [{ form: 'stdio', text: '{"mcpServers": 1}', note: 'Into `.mcp.json`.' }]
      },
      { name: 'codex', title: 'Codex', forms: [{ form: 'http', text: '[mcp_servers]', note: 'Into a file.' }] }
    ]
  });
  readonly changed: Changes[] = [];
  trial: (tried: Tried) => Trial = tried => ({
    model: tried.model ?? '',
    seconds: 0.5,
    failure: null,
    suggestion: '',
    models: []
  });

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

  preview: (question: Question) => Promise<Preview> = () => Promise.reject(new Lost('not played'));

  conversations(archived = false): Promise<Listing> {
    if (this.listFailure) {
      return Promise.reject(this.listFailure);
    }
    const all = Object.values(this.stored);
    const packed = all.filter(({ id }) => this.archived.has(id));
    const listed = all.filter(({ id }) => !this.archived.has(id));
    return Promise.resolve({ conversations: archived ? packed : listed, archived: packed.length });
  }

  change(id: string, change: object): Promise<void> {
    this.amended.push([id, change]);
    const before = this.stored[id];
    if (this.changeFailure || !before) {
      return Promise.reject(this.changeFailure ?? new Lost('unknown'));
    }
    this.stored[id] = { ...before, ...change };
    return Promise.resolve();
  }

  remove(id: string): Promise<void> {
    this.removed.push(id);
    this.stored = Object.fromEntries(Object.entries(this.stored).filter(([each]) => each !== id));
    return Promise.resolve();
  }

  exported(id: string, format: string): Promise<Exported> {
    return Promise.resolve({ name: `${id}.${format}`, type: 'text/plain', text: `all of ${id}` });
  }

  conversation(id: string): Promise<StoredConversation> {
    const found = this.stored[id];
    return found
      ? Promise.resolve(found)
      : Promise.reject(new Refused(404, { code: 'not_found', text: 'unknown', hint: '' }));
  }

  models(): Promise<Catalogue> {
    return Promise.resolve(this.known ?? catalogueOf(this.name));
  }

  lookForModels(): Promise<Catalogue> {
    this.known = this.found ?? this.known;
    return this.models();
  }

  tryModel(tried: Tried): Promise<Trial> {
    this.tried.push(tried);
    return Promise.resolve(this.trial(tried));
  }

  settings(): Promise<readonly Setting[]> {
    return Promise.resolve(settings({ settings: this.values, sources: this.sources, locked: this.locks }));
  }

  mcpClients(): Promise<McpClients> {
    return this.refusal ? Promise.reject(this.refusal) : Promise.resolve(this.clients);
  }

  configure(changes: Changes): Promise<readonly Setting[]> {
    this.changed.push(changes);
    if (this.refusal) {
      return Promise.reject(this.refusal);
    }
    this.known = this.saved ?? this.known;
    for (const [name, value] of Object.entries(changes)) {
      this.values[name] = name === 'api_key' ? value !== null : (value ?? '');
      this.sources[name] = value === null ? 'default' : 'user';
    }
    return this.settings();
  }

  store(id: string, messages: unknown[], run_id: string | null = null, more: object = {}): void {
    this.stored[id] = storedConversation({ id, title: `Title of ${id}`, updated: 1, run_id, messages, ...more });
  }
}

export class Place implements Host {
  readonly trans = ENGLISH;
  readonly opened: [string, string][] = [];
  readonly copied: string[] = [];
  readonly saved: Exported[] = [];
  readonly drafts = new Map<string, string>();
  remembered = '';
  question: Question | null = null;
  failing = 0;
  left: readonly Part[] = [];
  announced: Announce = 'ready';
  about: Subject | null = { name: 'analysis.ipynb', cell: 3, selected: 0 };

  subject(): Subject | null {
    return this.about;
  }

  onSubject(): void {
    // nothing moves here
  }

  announce(): Announce {
    return this.announced;
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

  save(file: Exported): void {
    this.saved.push(file);
  }

  recallLeft(): readonly Part[] {
    return this.left;
  }

  rememberLeft(left: readonly Part[]): void {
    this.left = left;
  }

  recallDraft(id: string): string {
    return this.drafts.get(id) ?? '';
  }

  rememberDraft(id: string, text: string): void {
    this.drafts.set(id, text);
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

/** What a server knows whose default model is `name`; without one it has only the built-in responder. */
export function catalogueOf(name: string): Catalogue {
  const [provider = '', ...rest] = name.split('/');
  const ours = { id: name, provider, name: rest.join('/') };
  return catalogue({
    default: name || 'offline/responder',
    providers: [
      ...(name ? [{ name: provider, label: provider, base_url: 'https://gateway.example/v1' }] : []),
      OFFLINE
    ],
    models: [...(name ? [ours] : []), RESPONDER]
  });
}

export const OFFLINE = { name: 'offline', label: 'Built-in responder (no model)', local: true };
export const RESPONDER = { id: 'offline/responder', provider: 'offline', name: 'Built-in responder (no model)' };

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
