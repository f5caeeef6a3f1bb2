/**
 * A body that streams, in heaps: what comes after a silence at once, what comes soon after it together. Whatever is
 * handled by itself costs the page's one thread several tasks, and between two paintings nobody would see it.
 *
 * The law: nothing waits longer than a few frames, in a page out of sight, whose clock is slow, nothing at all; and what
 * came before a failure is given before it.
 */

import { Lost } from '../transport';

/** Milliseconds between two heaps: less than lies between two paintings. */
const REST_MS = 40;

/** Gives all pieces of a body in order. Throws Lost when it is cut off or `silence` ms bring none. */
export async function* heaps(body: ReadableStream<Uint8Array>, silence: number): AsyncGenerator<readonly Uint8Array[]> {
  const reader = body.getReader();
  const heap = new Heap();
  void fill(heap, reader);
  try {
    while (await heap.more(silence)) {
      yield heap.take();
      await rest();
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

async function fill(heap: Heap, reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      heap.put(piece.value);
    }
    heap.end(null);
  } catch (error) {
    heap.end(new Lost('cut', { cause: error }));
  }
}

function rest(): Promise<void> {
  return document.hidden ? Promise.resolve() : new Promise(resolve => setTimeout(resolve, REST_MS));
}

/** What has come and was not taken yet. */
class Heap {
  #pieces: Uint8Array[] = [];
  /** What cut it off; null at a good end, undefined before. */
  #end: Lost | null | undefined;
  #wake: () => void = () => undefined;

  put(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#wake();
  }

  end(how: Lost | null): void {
    this.#end = how;
    this.#wake();
  }

  take(): readonly Uint8Array[] {
    const taken = this.#pieces;
    this.#pieces = [];
    return taken;
  }

  /** Waits for a piece; false at the end. */
  async more(silence: number): Promise<boolean> {
    if (!this.#pieces.length && this.#end === undefined) {
      await this.#woken(silence);
    }
    if (!this.#pieces.length && this.#end) {
      throw this.#end;
    }
    return this.#pieces.length > 0;
  }

  #woken(silence: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Lost('silent'));
      }, silence);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
