/**
 * The one place where state changes: actions in, painted once per animation frame.
 *
 * The law: listeners hear of a change at most once a frame, however many tokens came. The first change after a rest is
 * painted in the very next frame; in a flood a rest follows each painting, the longer the more that has cost, so that
 * painting never takes more than a small share of the page's time, on a slow machine either. What a user does to the
 * panel itself waits for nothing: it is heard of before the next key, which shall find what it was meant for.
 */

import type { Action, Chat } from './conversation';
import { reduce } from './conversation';

/** Milliseconds after a painting before the next frame is asked for: at least, at most, and for each it has taken. */
const REST_MS = 70;
const LONGEST_REST_MS = 120;
const REST_PER_COST = 4;

/** What changes where the next key goes. */
const AT_ONCE: readonly Action['do'][] = ['show', 'dialog', 'draft', 'left'];

export class Store {
  #chat: Chat;
  #pending = false;
  #painted = -Infinity;
  #rest = REST_MS;
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
    if (this.#chat === before) {
      return;
    }
    if (AT_ONCE.includes(action.do)) {
      this.#tell();
    } else if (!this.#pending) {
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
    const rest = this.#painted + this.#rest - performance.now();
    if (rest > 0) {
      this.#timer = setTimeout(() => requestAnimationFrame(this.#paint), rest);
    } else {
      requestAnimationFrame(this.#paint);
    }
  }

  readonly #paint = (): void => {
    this.#pending = false;
    this.#painted = performance.now();
    this.#tell();
    setTimeout(this.#measure);
  };

  #tell(): void {
    this.#listeners.forEach(listener => {
      listener();
    });
  }

  /** Runs once the browser has laid out and painted what the listeners changed. */
  readonly #measure = (): void => {
    const cost = performance.now() - this.#painted;
    this.#rest = Math.min(LONGEST_REST_MS, Math.max(REST_MS, REST_PER_COST * cost));
  };
}
