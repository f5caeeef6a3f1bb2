/**
 * Runs that are listened to, and conversations that are read: what the server tells becomes actions.
 *
 * The law: one reader per conversation, and a reader that was replaced touches nothing any more: neither the answer
 * of its successor nor its place. To stop listening stops nothing; only `stop` does.
 */

import type { Answer, Conversation } from '../conversation';
import { newer, running } from '../conversation';
import type { Heard, Pause, Start } from '../follow';
import { follow } from '../follow';
import { expected, failureOf } from '../faults';
import type { Host } from '../host';
import type { Store } from '../store';
import type { Transport } from '../transport';
import { Refused } from '../transport';

interface Reader {
  readonly answer: string;
  readonly controller: AbortController;
}

export interface Around {
  readonly store: Store;
  readonly transport: Transport;
  readonly host: Host;
  readonly pause: Pause;
}

/** What is to be done about what was heard. */
export interface Hearer {
  /** An answer's run is known now, or there will be none. */
  readonly settled: (answer: string) => void;
  /** A run was heard to its end. */
  readonly ended: (key: string, answer: string) => void;
  /** The shown conversation is not there any more. */
  readonly gone: () => void;
}

export class Reading {
  readonly #store: Store;
  readonly #transport: Transport;
  readonly #host: Host;
  readonly #pause: Pause;
  readonly #hearer: Hearer;
  readonly #signal: AbortSignal;
  readonly #readers = new Map<string, Reader>();
  /** How new each conversation was when it was last looked at, in the server's time. */
  readonly #known = new Map<string, number>();

  /** Everything ends with `signal`. */
  constructor({ store, transport, host, pause }: Around, hearer: Hearer, signal: AbortSignal) {
    this.#store = store;
    this.#transport = transport;
    this.#host = host;
    this.#pause = pause;
    this.#hearer = hearer;
    this.#signal = signal;
  }

  /** Whether a run of that conversation is listened to. */
  reads(key: string): boolean {
    return this.#readers.has(key);
  }

  /** Listens to that conversation no more. */
  leave(key: string): void {
    this.#readers.get(key)?.controller.abort();
  }

  /** Stops the answer that is being made in a conversation, as soon as its run is known. */
  stop({ key, id }: Conversation, answer: Answer): void {
    this.#store.dispatch({ do: 'stopping', key, answer: answer.id, stopping: true });
    if (answer.run_id) {
      void this.#halt(key, answer);
    } else if (answer.wire === 'whole') {
      void this.#giveUp(key, id, answer);
    }
  }

  /** Shows what another tab has done to a conversation. */
  async catchUp({ key, id, loading }: Conversation): Promise<void> {
    const summary = this.#store.chat.summaries.find(each => each.id === id);
    const same = summary && !summary.run_id && summary.updated === this.#known.get(id);
    if (!id || loading || same || this.#readers.has(key)) {
      return;
    }
    try {
      const stored = await this.#transport.conversation(id, this.#signal);
      const here = this.#store.chat.conversations[key];
      if (here && !this.#readers.has(key) && newer(here, stored)) {
        this.#store.dispatch({ do: 'loaded', key, conversation: stored });
        this.#join(key);
      } else if (here && here.title !== stored.title) {
        this.#store.dispatch({ do: 'renamed', id, title: stored.title });
      }
      this.#known.set(id, stored.updated);
    } catch (error) {
      expected(error, this.#signal);
    }
  }

  /** Loads a conversation. `past` is a run the server just said it does not know: it is not joined again. */
  async load(key: string, id: string, past = ''): Promise<void> {
    this.#store.dispatch({ do: 'load', key });
    try {
      const conversation = await this.#transport.conversation(id, this.#signal);
      if (this.#readers.has(key)) {
        return;
      }
      const run_id = conversation.run_id === past ? '' : conversation.run_id;
      this.#store.dispatch({ do: 'loaded', key, conversation: { ...conversation, run_id } });
      this.#known.set(id, conversation.updated);
      this.#join(key);
    } catch (error) {
      this.#unloadable(key, error);
    }
  }

  #join(key: string): void {
    const conversation = this.#store.chat.conversations[key];
    const answer = conversation && running(conversation);
    if (answer?.run_id) {
      void this.listen(key, answer.id, { run_id: answer.run_id, after: 0 });
    }
  }

  #unloadable(key: string, error: unknown): void {
    expected(error, this.#signal);
    if (error instanceof Refused && error.status === 404) {
      const id = this.#store.chat.conversations[key]?.id;
      if (this.#store.chat.shown === key) {
        this.#hearer.gone();
      }
      if (id) {
        this.#store.dispatch({ do: 'removed', id });
      }
    } else if (!this.#signal.aborted) {
      this.#store.dispatch({ do: 'unloadable', key, failure: failureOf(error, this.#host) });
    }
  }

  /** Listens to a run from its start, to its end. */
  async listen(key: string, answer: string, start: Start): Promise<void> {
    this.#readers.get(key)?.controller.abort();
    const reader = { answer, controller: new AbortController() };
    const signal = AbortSignal.any([reader.controller.signal, this.#signal]);
    this.#readers.set(key, reader);
    try {
      for await (const heard of follow(this.#transport, start, this.#pause, signal)) {
        if (signal.aborted) {
          return;
        }
        this.#hear(key, answer, heard);
      }
      if (!signal.aborted) {
        this.#hearer.ended(key, answer);
      }
    } catch (error) {
      if (!signal.aborted) {
        this.#release(key, reader);
        await this.#fail(key, answer, error);
      }
    } finally {
      this.#release(key, reader);
    }
  }

  /** Gives up a reader's place, unless it is somebody else's by now. */
  #release(key: string, reader: Reader): void {
    if (this.#readers.get(key) === reader) {
      this.#readers.delete(key);
    }
  }

  #hear(key: string, id: string, heard: Heard): void {
    this.#store.dispatch({ do: 'hear', key, answer: id, heard, at: performance.now() });
    const answer = this.#running(key, id);
    if (heard.kind === 'event' && heard.event?.name === 'run') {
      this.#hearer.settled(id);
      if (this.#store.chat.shown === key) {
        this.#host.remember(heard.event.conversation_id);
      }
    }
    if (answer?.stopping && answer.run_id && (heard.kind === 'wire' || isRun(heard))) {
      void this.#halt(key, answer);
    }
  }

  #running(key: string, id: string): Answer | null {
    const conversation = this.#store.chat.conversations[key];
    const answer = conversation ? running(conversation) : null;
    return answer?.id === id ? answer : null;
  }

  async #halt(key: string, answer: Answer): Promise<void> {
    try {
      await this.#transport.stop(answer.run_id, this.#signal);
    } catch (error) {
      expected(error, this.#signal);
      if (this.#running(key, answer.id)?.wire === 'open') {
        this.#store.dispatch({ do: 'stopping', key, answer: answer.id, stopping: false });
      }
    }
  }

  /** Stops an answer that comes in one piece: its run is only known to the conversation. */
  async #giveUp(key: string, id: string, answer: Answer): Promise<void> {
    this.#readers.get(key)?.controller.abort();
    this.#hearer.settled(answer.id);
    this.#store.dispatch({ do: 'end', key, answer: answer.id, reason: 'cancelled' });
    try {
      const run_id = id ? (await this.#transport.conversation(id, this.#signal)).run_id : '';
      if (run_id) {
        await this.#transport.stop(run_id, this.#signal);
      }
    } catch (error) {
      expected(error, this.#signal);
    }
  }

  async #fail(key: string, answer: string, error: unknown): Promise<void> {
    const conversation = this.#store.chat.conversations[key];
    const state = this.#running(key, answer);
    if (error instanceof Refused && error.failure.code === 'conversation_busy' && conversation?.id) {
      this.#hearer.settled(answer);
      this.#store.dispatch({ do: 'withdraw', key, answer });
      this.#store.dispatch({ do: 'complain', failure: error.failure });
      await this.load(key, conversation.id);
    } else if (error instanceof Refused && error.status === 404 && state?.run_id && conversation?.id) {
      await this.load(key, conversation.id, state.run_id);
    } else if (state?.stopping && !state.run_id) {
      this.#hearer.settled(answer);
      this.#store.dispatch({ do: 'end', key, answer, reason: 'cancelled' });
    } else {
      this.#store.dispatch({ do: 'fail', key, answer, failure: failureOf(error, this.#host) });
    }
  }
}

function isRun(heard: Heard): boolean {
  return heard.kind === 'event' && heard.event?.name === 'run';
}
