/**
 * Follows one run to its end over a wire that may break: resume after the last event heard, with back-off; without
 * any event, ask again for the whole answer; past the log's reach, take the snapshot.
 *
 * The law: every event comes out once and in order, and asking twice is always the same `request_id`.
 */

import type { Numbered, Question, RunEvent, StoredMessage } from './protocol';
import type { Transport } from './transport';
import { Lost, Refused } from './transport';

/** Where to begin: with a question, or with a run that goes on already. */
export type Start = { readonly question: Question } | { readonly run_id: string; readonly after: number };

export type Heard =
  | { readonly kind: 'event'; readonly number: number; readonly event: RunEvent | null }
  | { readonly kind: 'snapshot'; readonly message: StoredMessage }
  /** `lost`: trying again; `whole`: streams do not come through, the answer will come in one piece. */
  | { readonly kind: 'wire'; readonly state: 'open' | 'lost' | 'whole' };

/** Waits `ms` milliseconds, or less when it is worth trying sooner; rejects on abort. */
export type Pause = (ms: number, signal: AbortSignal) => Promise<void>;

/** About five minutes of trying. */
const ATTEMPTS = 24;
const SNAPSHOT_PAUSE = 2_000;

/** Milliseconds to wait after failed attempt 1, 2, 3 …: half a second, doubling to 15 s. */
export function backOff(attempt: number): number {
  return Math.min(15_000, 250 * 2 ** attempt);
}

/** What a 410 still knows of the answer. */
function snapshot(error: unknown): StoredMessage | null {
  return error instanceof Refused && error.status === 410 ? error.snapshot : null;
}

/** The events up to `done`. Throws Refused, or Lost when trying again is over; ends quietly on abort. */
export async function* follow(
  transport: Transport,
  start: Start,
  pause: Pause,
  signal: AbortSignal
): AsyncGenerator<Heard> {
  const wire = new Wire(transport, pause, signal);
  try {
    yield* 'question' in start ? wire.ask(start.question) : wire.join(start.run_id, start.after);
  } catch (error) {
    if (!signal.aborted) {
      throw error;
    }
  }
}

class Wire {
  readonly #transport: Transport;
  readonly #pause: Pause;
  readonly #signal: AbortSignal;
  #run = '';
  #last = 0;

  constructor(transport: Transport, pause: Pause, signal: AbortSignal) {
    this.#transport = transport;
    this.#pause = pause;
    this.#signal = signal;
  }

  async *ask(question: Question): AsyncGenerator<Heard> {
    try {
      yield* this.#hear(this.#transport.ask(question, this.#signal));
      return;
    } catch (error) {
      this.#rethrow(error);
    }
    yield* this.#run ? this.#again() : this.#whole(question);
  }

  async *join(run_id: string, after: number): AsyncGenerator<Heard> {
    this.#run = run_id;
    this.#last = after;
    yield* this.#again(false);
  }

  /** Resumes until `done`; `lost` tells whether a connection was there before. */
  async *#again(lost = true): AsyncGenerator<Heard> {
    let wait = 0;
    for (let attempt = 1; ; attempt++) {
      if (lost) {
        yield { kind: 'wire', state: 'lost' };
      }
      await this.#pause(wait, this.#signal);
      const before = this.#last;
      try {
        for await (const heard of this.#hear(this.#transport.resume(this.#run, this.#last, this.#signal))) {
          if (lost) {
            lost = false;
            yield { kind: 'wire', state: 'open' };
          }
          yield heard;
        }
        return;
      } catch (error) {
        const message = snapshot(error);
        if (message) {
          yield { kind: 'snapshot', message };
          if (message.state !== 'running') {
            return;
          }
          lost = false;
          wait = SNAPSHOT_PAUSE;
          continue;
        }
        this.#rethrow(error);
        attempt = this.#last > before ? 1 : attempt;
        if (attempt >= ATTEMPTS) {
          throw error;
        }
        wait = backOff(attempt);
        lost = true;
      }
    }
  }

  async *#whole(question: Question): AsyncGenerator<Heard> {
    yield { kind: 'wire', state: 'whole' };
    const events = await this.#transport.answer(question, this.#signal);
    for (const [index, event] of events.entries()) {
      yield { kind: 'event', number: index + 1, event };
    }
  }

  /** Passes on what is new; a gap counts as a lost connection, so that what is missing is asked for. */
  async *#hear(events: AsyncIterable<Numbered>): AsyncGenerator<Heard> {
    for await (const { number, event } of events) {
      if (number <= this.#last) {
        continue;
      }
      if (number !== this.#last + 1) {
        throw new Lost('gap');
      }
      this.#last = number;
      if (event?.name === 'run') {
        this.#run = event.run_id;
      }
      yield { kind: 'event', number, event };
    }
  }

  #rethrow(error: unknown): void {
    if (this.#signal.aborted || !(error instanceof Lost)) {
      throw error;
    }
  }
}
