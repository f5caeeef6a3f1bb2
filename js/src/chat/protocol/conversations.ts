/** Conversations as the server keeps, lists and exports them. */

import type { Failure, Given, Reason, Source, Usage } from './events';
import { failure, given, reason, source, usage } from './events';
import type { Json } from './json';
import { list, number, object, text } from './json';

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
