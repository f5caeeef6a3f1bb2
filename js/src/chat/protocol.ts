/**
 * What crosses the wire, and the one place where JSON of unknown shape becomes typed values (DESIGN §4, §5).
 *
 * The law: nothing past this file is `any`, and nothing a server or a model sends can be of another type than it says.
 * Names are those of the wire (`snake_case`), turned nowhere.
 */

export interface ContextItem {
  readonly kind: string;
  readonly label: string;
  readonly path: string;
  readonly cell_id: string;
  readonly chars: number;
  readonly truncated: boolean;
}

export interface Given {
  readonly items: readonly ContextItem[];
  readonly chars: number;
  readonly budget: number;
}

export interface Source {
  readonly title: string;
  readonly path: string;
  readonly cell_id: string;
  readonly snippet: string;
}

export interface Usage {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly seconds: number;
  readonly cost: number | null;
  readonly currency: string;
}

/** What went wrong (`text`) and what to do next (`hint`); `code` is a name of the error tree. */
export interface Failure {
  readonly code: string;
  readonly text: string;
  readonly hint: string;
  /** Seconds after which asking again may help. */
  readonly retry_after?: number;
  /** The field of the request that is wrong. */
  readonly field?: string;
}

export type Reason = 'stop' | 'length' | 'cancelled' | 'error' | 'limit' | 'interrupted';

export type RunEvent =
  | { readonly name: 'run'; readonly run_id: string; readonly conversation_id: string; readonly model: string }
  | { readonly name: 'status' | 'reasoning' | 'token' | 'title'; readonly text: string }
  | { readonly name: 'context'; readonly given: Given }
  | { readonly name: 'sources'; readonly sources: readonly Source[] }
  | { readonly name: 'usage'; readonly usage: Usage }
  | { readonly name: 'error'; readonly failure: Failure }
  | { readonly name: 'done'; readonly reason: Reason };

/** An event with its number in the run: 1, 2, 3 … without gaps. `event` is null where the name is not known here. */
export interface Numbered {
  readonly number: number;
  readonly event: RunEvent | null;
}

/** A cell that differs from the saved file; `outputs` (nbformat) only where they differ too. */
export interface UnsavedCell {
  readonly id: string;
  readonly cell_type: string;
  readonly source: string;
  readonly outputs?: readonly unknown[];
}

export interface NotebookFocus {
  readonly path: string;
  readonly cell_id?: string;
  readonly selection?: string;
  readonly unsaved?: readonly UnsavedCell[];
  readonly order?: readonly string[];
}

export interface Question {
  readonly question: string;
  readonly conversation_id?: string;
  readonly notebook?: NotebookFocus;
  readonly request_id: string;
}

/** A message of a stored conversation. */
export interface StoredMessage {
  readonly id: string;
  readonly role: 'user' | 'assistant';
  readonly run_id: string;
  readonly state: 'running' | Reason;
  readonly model: string;
  readonly text: string;
  readonly reasoning: string;
  readonly sources: readonly Source[];
  readonly given: Given | null;
  readonly usage: Usage | null;
  readonly failure: Failure | null;
}

export interface Summary {
  readonly id: string;
  readonly title: string;
  readonly updated: number;
  readonly pinned: boolean;
  readonly run_id: string;
}

/** The list of conversations, and how many more are archived. */
export interface Listing {
  readonly conversations: readonly Summary[];
  readonly archived: number;
}

export type Format = 'md' | 'json';

/** A conversation as a file. */
export interface Exported {
  readonly name: string;
  readonly type: string;
  readonly text: string;
}

export interface StoredConversation extends Summary {
  readonly messages: readonly StoredMessage[];
}

export interface PreviewItem extends ContextItem {
  readonly tokens: number;
  readonly redacted: number;
  readonly text: string;
}

/** The exact request a question would make. */
export interface Preview {
  readonly items: readonly PreviewItem[];
  readonly left_out: readonly ContextItem[];
  readonly tokens: number;
  readonly budget: number;
}

/** A model that can be chosen; `id` is its full name, `name` what its provider calls it. */
export interface KnownModel {
  readonly id: string;
  readonly provider: string;
  readonly name: string;
  /** 0 where it is not known. */
  readonly context_tokens: number;
}

export interface KnownProvider {
  readonly name: string;
  readonly label: string;
  readonly base_url: string;
  /** Whether it is a server found on this machine. */
  readonly local: boolean;
  readonly failure: Failure | null;
}

/** The models known so far; `default` is null when none can be told. */
export interface Catalogue {
  readonly default: string | null;
  readonly providers: readonly KnownProvider[];
  readonly models: readonly KnownModel[];
}

/** What is to be tested: a model, at an endpoint that need not be saved when there is a `base_url`. */
export interface Tried {
  readonly model?: string;
  readonly base_url?: string;
  readonly api_key?: string;
}

/** How one small real call went; times in seconds. */
export interface Trial {
  readonly model: string;
  readonly seconds: number;
  /** Null when it went well. */
  readonly failure: Failure | null;
  /** The address that works, where the given one does not; else empty. */
  readonly suggestion: string;
  /** The endpoint's models, where one of them must be named. */
  readonly models: readonly string[];
}

export type SettingValue = string | number | readonly string[];

/** Settings to change, by name; null goes back to the administrator's value. */
export type Changes = Readonly<Partial<Record<string, SettingValue | null>>>;

export type SettingSource = 'user' | 'administrator' | 'environment' | 'default';

/** A setting as it is in force. Of a `secret` only whether there is one is known: `value` is empty. */
export interface Setting {
  readonly name: string;
  readonly kind: 'text' | 'number' | 'list' | 'secret';
  readonly value: SettingValue;
  /** Whether there is a value at all. */
  readonly set: boolean;
  readonly source: SettingSource;
  readonly locked: boolean;
  readonly help: string;
}

/** The longest question, in characters (code points, as the server counts). */
export const QUESTION_CHARS = 32_000;

type Json = Readonly<Record<string, unknown>>;

/** The value as a JSON object; an empty one when it is none. */
export function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

const REASONS: readonly string[] = ['stop', 'length', 'cancelled', 'error', 'limit', 'interrupted'];

function reason(value: unknown): Reason {
  return REASONS.includes(text(value)) ? (value as Reason) : 'stop';
}

function contextItem(value: unknown): ContextItem {
  const json = object(value);
  return {
    kind: text(json['kind']),
    label: text(json['label']),
    path: text(json['path']),
    cell_id: text(json['cell_id']),
    chars: number(json['chars']),
    truncated: json['truncated'] === true
  };
}

function given(json: Json): Given {
  return {
    items: list(json['items']).map(contextItem),
    chars: number(json['chars']),
    budget: number(json['budget'])
  };
}

function source(value: unknown): Source {
  const json = object(value);
  return {
    title: text(json['title']),
    path: text(json['path']),
    cell_id: text(json['cell_id']),
    snippet: text(json['snippet'])
  };
}

function usage(json: Json): Usage {
  return {
    input_tokens: number(json['input_tokens']),
    output_tokens: number(json['output_tokens']),
    seconds: number(json['seconds']),
    cost: typeof json['cost'] === 'number' ? json['cost'] : null,
    currency: text(json['currency'])
  };
}

/** A failure as the `error` event, an error body's `error` and a stored part write it. */
export function failure(value: unknown): Failure {
  const json = object(value);
  return {
    code: text(json['code']) || 'failed',
    text: text(json['text']) || text(json['message']),
    hint: text(json['hint']),
    ...(typeof json['retry_after'] === 'number' ? { retry_after: number(json['retry_after']) } : {}),
    ...(text(json['field']) ? { field: text(json['field']) } : {})
  };
}

/** An event of a run by its name and data; null for a name this reader does not know. */
export function runEvent(name: string, data: unknown): RunEvent | null {
  const json = object(data);
  switch (name) {
    case 'run':
      return {
        name,
        run_id: text(json['run_id']),
        conversation_id: text(json['conversation_id']),
        model: text(json['model'])
      };
    case 'status':
    case 'reasoning':
    case 'token':
    case 'title':
      return { name, text: text(json['text']) };
    case 'context':
      return { name, given: given(json) };
    case 'sources':
      return { name, sources: list(data).map(source) };
    case 'usage':
      return { name, usage: usage(json) };
    case 'error':
      return { name, failure: failure(json) };
    case 'done':
      return { name, reason: reason(json['reason']) };
    default:
      return null;
  }
}

/** The one JSON answer of `POST chat` as the events its stream would have had. */
export function answerEvents(value: unknown): RunEvent[] {
  const json = object(value);
  const events: (RunEvent | null)[] = [
    runEvent('run', json),
    list(json['sources']).length ? runEvent('sources', json['sources']) : null,
    text(json['text']) ? runEvent('token', json) : null,
    json['usage'] ? runEvent('usage', json['usage']) : null,
    json['error'] ? runEvent('error', json['error']) : null,
    runEvent('done', json)
  ];
  return events.filter(event => event !== null);
}

function part(parts: readonly Json[], type: string): Json | undefined {
  return parts.find(candidate => candidate['type'] === type);
}

/** A stored message (an item of `messages`, or the snapshot of a 410). */
export function storedMessage(value: unknown): StoredMessage {
  const json = object(value);
  const parts = list(json['parts']).map(object);
  const [context, used, failed] = [part(parts, 'context'), part(parts, 'usage'), part(parts, 'error')];
  return {
    id: text(json['id']),
    role: json['role'] === 'user' ? 'user' : 'assistant',
    run_id: text(json['run_id']),
    state: json['state'] === 'running' ? 'running' : json['state'] === 'done' ? 'stop' : reason(json['state']),
    model: text(json['model']),
    text: parts.filter(each => each['type'] === 'text').reduce((all, each) => all + text(each['text']), ''),
    reasoning: text(part(parts, 'reasoning')?.['text']),
    sources: list(part(parts, 'sources')?.['sources']).map(source),
    given: context ? given(context) : null,
    usage: used ? usage(used) : null,
    failure: failed ? failure(failed) : null
  };
}

function summary(value: unknown): Summary {
  const json = object(value);
  return {
    id: text(json['id']),
    title: text(json['title']),
    updated: number(json['updated']),
    pinned: json['pinned'] === true,
    run_id: text(json['run_id'])
  };
}

/** The list of `GET conversations`. */
export function listing(value: unknown): Listing {
  const json = object(value);
  return { conversations: list(json['conversations']).map(summary), archived: number(json['archived']) };
}

/** The name in a `Content-Disposition` (RFC 6266), without any folder; `otherwise` when it has none. */
export function fileName(disposition: string, otherwise: string): string {
  const [, encoded, quoted] = /filename\*=utf-8''([^;\s]+)|filename="?([^";]+)/i.exec(disposition) ?? [];
  try {
    const name = (encoded ? decodeURIComponent(encoded) : (quoted ?? '')).replace(/^.*[/\\]/, '');
    return name === '' ? otherwise : name;
  } catch {
    return otherwise;
  }
}

/** The conversation of `GET conversations/{id}`. */
export function storedConversation(value: unknown): StoredConversation {
  return { ...summary(value), messages: list(object(value)['messages']).map(storedMessage) };
}

/** A question as it was kept over a reload; null when it is none. */
export function question(value: unknown): Question | null {
  const json = object(value);
  const [asked, request_id, notebook] = [text(json['question']), text(json['request_id']), object(json['notebook'])];
  const [path, cell_id] = [text(notebook['path']), text(notebook['cell_id'])];
  if (!asked || !request_id) {
    return null;
  }
  return { question: asked, request_id, ...(path ? { notebook: { path, ...(cell_id ? { cell_id } : {}) } } : {}) };
}

/** The answer of `POST preview`. */
export function preview(value: unknown): Preview {
  const json = object(value);
  return {
    items: list(json['items']).map(item => ({
      ...contextItem(item),
      tokens: number(object(item)['tokens']),
      redacted: number(object(item)['redacted']),
      text: text(object(item)['text'])
    })),
    left_out: list(json['left_out']).map(contextItem),
    tokens: number(json['tokens']),
    budget: number(json['budget'])
  };
}

/** The answer of `GET models` and `POST models/refresh`. */
export function catalogue(value: unknown): Catalogue {
  const json = object(value);
  return {
    default: text(json['default']) || null,
    providers: list(json['providers']).map(each => {
      const provider = object(each);
      return {
        name: text(provider['name']),
        label: text(provider['label']),
        base_url: text(provider['base_url']),
        local: provider['local'] === true,
        failure: provider['error'] ? failure(provider['error']) : null
      };
    }),
    models: list(json['models']).map(each => {
      const model = object(each);
      return {
        id: text(model['id']),
        provider: text(model['provider']),
        name: text(model['name']),
        context_tokens: number(model['context_tokens'])
      };
    })
  };
}

/** The answer of `POST models/test`. */
export function trial(value: unknown): Trial {
  const json = object(value);
  return {
    model: text(json['model']),
    seconds: number(json['seconds']),
    failure: json['ok'] === true ? null : failure(json['error']),
    suggestion: text(object(json['suggestion'])['base_url']),
    models: list(json['models']).map(text).filter(Boolean)
  };
}

const SOURCES: readonly string[] = ['user', 'administrator', 'environment', 'default'] satisfies SettingSource[];

function settingValue(value: unknown): Pick<Setting, 'kind' | 'value' | 'set'> {
  if (typeof value === 'boolean') {
    return { kind: 'secret', value: '', set: value };
  }
  if (Array.isArray(value)) {
    return { kind: 'list', value: value.map(text), set: value.length > 0 };
  }
  return typeof value === 'number'
    ? { kind: 'number', value, set: true }
    : { kind: 'text', value: text(value), set: value !== '' };
}

/** The answer of `GET settings` and `PATCH settings`. */
export function settings(value: unknown): Setting[] {
  const json = object(value);
  const [sources, help] = [object(json['sources']), object(json['help'])];
  const locked = list(json['locked']);
  return Object.entries(object(json['settings'])).map(([name, found]) => ({
    name,
    ...settingValue(found),
    source: SOURCES.includes(text(sources[name])) ? (sources[name] as SettingSource) : 'default',
    locked: locked.includes(name),
    help: text(help[name])
  }));
}

/** JSON text as a value; undefined when it is not JSON. */
export function parse(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}

/** The fields of an error body besides the failure itself: the run that is in the way, the snapshot of a lost log. */
export function refusal(body: unknown): { failure: Failure; run_id: string; snapshot: StoredMessage | null } {
  const json = object(body);
  const snapshot = json['snapshot'] ?? object(json['error'])['snapshot'];
  return {
    failure: failure(json['error']),
    run_id: text(object(json['error'])['run_id']),
    snapshot: snapshot ? storedMessage(snapshot) : null
  };
}
