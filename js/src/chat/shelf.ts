/**
 * What a user can want of the list of conversations: to see it, its archive, and to name, pin and save what is in it.
 *
 * The law: what could not be done is said in the list, and what stood there before still stands.
 */

import { expected, failureOf } from './faults';
import type { Host } from './host';
import type { Format } from './protocol';
import type { Store } from './store';
import type { Transport } from './transport';

interface Surroundings {
  readonly store: Store;
  readonly transport: Transport;
  readonly host: Host;
}

export class Shelf {
  readonly #store: Store;
  readonly #transport: Transport;
  readonly #host: Host;
  readonly #signal: AbortSignal;

  /** Everything ends with `signal`. */
  constructor({ store, transport, host }: Surroundings, signal: AbortSignal) {
    this.#store = store;
    this.#transport = transport;
    this.#host = host;
    this.#signal = signal;
  }

  /** Fetches the list of conversations anew, and the archive when it is open; keeps the old ones when that fails. */
  async list(): Promise<void> {
    await this.wanted(async signal => {
      const listing = await this.#transport.conversations(false, signal);
      signal.throwIfAborted();
      this.#store.dispatch({ do: 'listed', listing });
      if (this.#store.chat.archive.summaries) {
        await this.#unpack(signal);
      }
    });
  }

  /** Opens the archive of the list, or closes it. */
  async archive(open: boolean): Promise<void> {
    if (open) {
      await this.wanted(signal => this.#unpack(signal));
    } else {
      this.#store.dispatch({ do: 'archive', summaries: null });
    }
  }

  /** Renames a conversation; the new name stands at once and is taken back when the server refuses it. */
  async rename(id: string, before: string, title: string): Promise<void> {
    this.#store.dispatch({ do: 'renamed', id, title });
    if (!(await this.wanted(signal => this.#transport.change(id, { title }, signal)))) {
      this.#store.dispatch({ do: 'renamed', id, title: before });
    }
  }

  async pin(id: string, pinned: boolean): Promise<void> {
    if (await this.wanted(signal => this.#transport.change(id, { pinned }, signal))) {
      await this.list();
    }
  }

  async save(id: string, format: Format): Promise<void> {
    await this.wanted(async signal => {
      this.#host.save(await this.#transport.exported(id, format, signal));
    });
  }

  async #unpack(signal: AbortSignal): Promise<void> {
    const { conversations } = await this.#transport.conversations(true, signal);
    signal.throwIfAborted();
    this.#store.dispatch({ do: 'archive', summaries: conversations });
  }

  /** Does something the list wants; whether it was done. What went wrong is said in the list. */
  async wanted(act: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
    try {
      await act(this.#signal);
      return true;
    } catch (error) {
      expected(error, this.#signal);
      if (!this.#signal.aborted) {
        this.#store.dispatch({ do: 'complain', failure: failureOf(error, this.#host) });
      }
      return false;
    }
  }
}
