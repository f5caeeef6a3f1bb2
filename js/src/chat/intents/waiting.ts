/** Questions that are asked again by themselves, when their gateway says that it may be asked again. */

import type { Conversation } from '../conversation';
import { passed, patience } from '../patience';
import type { Store } from '../store';

export class Waiting {
  readonly #store: Store;
  readonly #signal: AbortSignal;
  /** What will be asked again, by conversation. */
  readonly #waits = new Map<string, AbortController>();
  /** Answers whose question was asked again: that is done once. */
  readonly #again = new Set<string>();

  /** Everything ends with `signal`. */
  constructor(store: Store, signal: AbortSignal) {
    this.#store = store;
    this.#signal = signal;
  }

  /** What waits in a conversation is not asked again. */
  cancel(key: string): void {
    this.#waits.get(key)?.abort();
  }

  /** Where a gateway wants to be asked less often, `ask` is called when it says, once; it gives the new answer's id. */
  async patient(key: string, id: string, ask: (conversation: Conversation) => string): Promise<void> {
    const answer = this.#store.chat.conversations[key]?.entries.find(each => each.id === id);
    const seconds = answer?.role === 'assistant' ? patience(answer) : null;
    if (seconds === null || this.#again.has(id)) {
      return;
    }
    const wait = new AbortController();
    this.#waits.set(key, wait);
    this.#store.dispatch({ do: 'wait', key, answer: id, until: Date.now() + seconds * 1_000 });
    const over = await passed(seconds, AbortSignal.any([wait.signal, this.#signal]));
    if (this.#waits.get(key) === wait) {
      this.#waits.delete(key);
    }
    this.#store.dispatch({ do: 'wait', key, answer: id, until: null });
    const conversation = this.#store.chat.conversations[key];
    if (over && conversation) {
      this.#again.add(ask(conversation));
    }
  }
}
