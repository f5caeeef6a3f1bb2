/**
 * The one place where state changes: actions in, painted once per animation frame.
 *
 * The law: listeners hear of a change at most once a frame, however many tokens came; the first change after a rest
 * is painted in the very next one, a flood in every third of a 60 Hz screen: it reads the same at a third of the work.
 */

import type { Action, Chat } from './conversation';
import { reduce } from './conversation';

/** Milliseconds after a painting before the next frame is asked for. */
const REST_MS = 35;

export class Store {
  #chat: Chat;
  #pending = false;
  #painted = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
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
    if (this.#chat !== before && !this.#pending) {
      this.#pending = true;
      this.#askForFrame();
    }
  }

  /** Calls back after changes; the returned function ends that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Paints no more. */
  end(): void {
    this.#pending = true;
    this.#listeners.clear();
    clearTimeout(this.#timer);
  }

  #askForFrame(): void {
    const rest = this.#painted + REST_MS - performance.now();
    if (rest > 0) {
      this.#timer = setTimeout(() => requestAnimationFrame(this.#paint), rest);
    } else {
      requestAnimationFrame(this.#paint);
    }
  }

  readonly #paint = (): void => {
    this.#pending = false;
    this.#painted = performance.now();
    this.#listeners.forEach(listener => {
      listener();
    });
  };
}
