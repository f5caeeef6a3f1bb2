/** What a conversation is made of: questions and answers. */

import type { Failure, Given, Reason, Source, Usage } from '../protocol';

export interface Asked {
  readonly role: 'user';
  readonly id: string;
  readonly text: string;
}

export interface Thought {
  readonly from: number;
  readonly to: number;
}

export interface Answer {
  readonly role: 'assistant';
  readonly id: string;
  readonly run_id: string;
  readonly model: string;
  readonly state: 'running' | Reason;
  readonly text: string;
  readonly reasoning: string;
  /** When thinking was first and last heard of, in ms; null where it was not witnessed here. */
  readonly thought: Thought | null;
  /** Whether it was asked for here, so that its events come when they happen. */
  readonly asked: boolean;
  readonly status: string;
  readonly given: Given | null;
  readonly sources: readonly Source[];
  readonly usage: Usage | null;
  readonly failure: Failure | null;
  readonly wire: 'open' | 'lost' | 'whole';
  readonly stopping: boolean;
  /** The number of the last event heard. */
  readonly last: number;
  /** When its question is asked again by itself (`Date.now()`); null when it is not. */
  readonly until: number | null;
}

export type Entry = Asked | Answer;

/** A conversation; `id` is empty until the server has given it one, `key` never changes. */
export interface Conversation {
  readonly key: string;
  readonly id: string;
  readonly title: string;
  readonly entries: readonly Entry[];
  readonly loading: boolean;
  /** Why it could not be loaded. */
  readonly failure: Failure | null;
}
