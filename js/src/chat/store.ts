/**
 * The one place where state changes: actions in, painted once per animation frame.
 *
 * The law: listeners hear of a change at most once a frame, however many tokens came.
 */

import type { Action, Chat } from './conversation';
import { reduce } from './conversation';

export class Store {
  #chat: Chat;
  #frame = 0;
  readonly #listeners = new Set<() => void>();

  constructor(chat: Chat) {
    this.#chat = chat;
  }

  get chat(): Chat {
    return this.#chat;
  }

  dispatch(action: Action): void {
    const before = this.#chat;
    this.#chat = reduce(before, action);
    if (this.#chat !== before && this.#frame === 0) {
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        this.#listeners.forEach(listener => {
          listener();
        });
      });
    }
  }

  /** Calls back after changes; the returned function ends that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
