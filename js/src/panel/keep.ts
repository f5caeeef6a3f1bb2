/** What a page keeps over a reload; where a page may keep nothing, such as in a sandboxed frame, as long as it lives. */

export class Keep {
  readonly #prefix: string;
  readonly #storage: () => Storage;
  readonly #memory = new Map<string, string>();

  /** `prefix` tells panels apart. */
  constructor(prefix: string, storage = () => sessionStorage) {
    this.#prefix = prefix;
    this.#storage = storage;
  }

  get(name: string): string {
    try {
      return this.#storage().getItem(this.#prefix + name) ?? '';
    } catch {
      return this.#memory.get(name) ?? '';
    }
  }

  /** Empty takes it away. */
  put(name: string, text: string): void {
    this.#memory.set(name, text);
    try {
      if (text) {
        this.#storage().setItem(this.#prefix + name, text);
      } else {
        this.#storage().removeItem(this.#prefix + name);
      }
    } catch {
      // it is remembered as long as the page lives
    }
  }
}
