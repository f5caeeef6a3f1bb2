/** The events of a run (DESIGN §5), as they come over the wire and as the one JSON answer tells them. */

import type { Json } from './json';
import { list, number, object, text } from './json';

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

const REASONS: readonly string[] = ['stop', 'length', 'cancelled', 'error', 'limit', 'interrupted'];

export function reason(value: unknown): Reason {
  return REASONS.includes(text(value)) ? (value as Reason) : 'stop';
}

export function contextItem(value: unknown): ContextItem {
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

export function given(json: Json): Given {
  return {
    items: list(json['items']).map(contextItem),
    chars: number(json['chars']),
    budget: number(json['budget'])
  };
}

export function source(value: unknown): Source {
  const json = object(value);
  return {
    title: text(json['title']),
    path: text(json['path']),
    cell_id: text(json['cell_id']),
    snippet: text(json['snippet'])
  };
}

export function usage(json: Json): Usage {
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
