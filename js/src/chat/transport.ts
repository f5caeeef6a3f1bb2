/**
 * The seam to the server: what a host can send and hear, whatever carries it.
 *
 * The law: a transport carries and never decides. What to do when a connection ends is `follow`'s business.
 */

import type {
  Failure,
  Numbered,
  Preview,
  Question,
  RunEvent,
  StoredConversation,
  StoredMessage,
  Summary
} from './protocol';

export interface Transport {
  /** Asks, and yields the new run's events up to `done`. Throws Refused or Lost; ends quietly on abort. */
  ask(question: Question, signal: AbortSignal): AsyncIterable<Numbered>;
  /** Yields a run's events after number `after`, up to `done`. Throws Refused (404, 410) or Lost. */
  resume(run_id: string, after: number, signal: AbortSignal): AsyncIterable<Numbered>;
  /** The same question without a stream: all events at once, when the answer is complete. */
  answer(question: Question, signal: AbortSignal): Promise<RunEvent[]>;
  /** Cancels a run; its `done` comes through the stream. */
  stop(run_id: string, signal: AbortSignal): Promise<void>;
  /** The exact request a question would make. */
  preview(question: Question, signal: AbortSignal): Promise<Preview>;
  conversations(signal: AbortSignal): Promise<Summary[]>;
  conversation(id: string, signal: AbortSignal): Promise<StoredConversation>;
  /** The default model's name; empty when no language model is connected. */
  model(signal: AbortSignal): Promise<string>;
}

/** The server understood and said no. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly failure: Failure,
    readonly run_id = '',
    readonly snapshot: StoredMessage | null = null
  ) {
    super(failure.text);
  }
}

/** The connection failed, fell silent or ended before `done`. */
export class Lost extends Error {}
