/**
 * The assistant's routes through the widget's own kernel, for pages that no Jupyter server serves: requests as
 * messages, their answers in pieces. What a piece means is `http`'s business.
 *
 * The law: a kernel that runs a cell takes no message before its end. So each request knocks first: one that has been
 * given up while it waited was never sent. A kernel that is gone ends everything with a sentence.
 */

import type { Fetch } from '../chat/http';
import type { Trans } from '../chat/host';
import { object } from '../chat/protocol';

/** Milliseconds without an answer after which the kernel counts as busy, and after which nothing is sent any more. */
export interface Patience {
  readonly busy: number;
  readonly most: number;
}

const USUAL: Patience = { busy: 1_000, most: 60_000 };

export type KernelState = 'free' | 'busy' | 'gone';

interface Surroundings {
  readonly send: (content: object) => void;
  /** A new unique id. */
  readonly id: () => string;
  readonly trans: Trans;
  readonly onState: (state: KernelState) => void;
  readonly patience?: Patience;
}

/** A message that waits for its answers. */
interface Waiting {
  readonly hear: (kind: string, content: Record<string, unknown>) => void;
  readonly fail: (error: Error) => void;
}

type Wanted = 'free' | 'late' | 'gone';

export class Kernel {
  readonly #send: (content: object) => void;
  readonly #id: () => string;
  readonly #trans: Trans;
  readonly #onState: (state: KernelState) => void;
  readonly #patience: Patience;
  readonly #waiting = new Map<string, Waiting>();
  #state: KernelState = 'free';

  /** Everything ends with `signal`. */
  constructor({ send, id, trans, onState, patience = USUAL }: Surroundings, signal: AbortSignal) {
    this.#send = send;
    this.#id = id;
    this.#trans = trans;
    this.#onState = onState;
    this.#patience = patience;
    signal.addEventListener('abort', () => {
      this.#endAll(signal.reason as Error);
    });
  }

  /** Whether messages still reach it. */
  get gone(): boolean {
    return this.#state === 'gone';
  }

  /** A message has come from the kernel. */
  hear(content: unknown): void {
    const message = object(content);
    const { kind, id } = message;
    this.#become('free');
    if (typeof kind === 'string' && typeof id === 'string') {
      this.#waiting.get(id)?.hear(kind, message);
    }
  }

  /** The kernel has ended, or knows this widget no more. */
  lose(): void {
    this.#become('gone');
    this.#endAll(new TypeError('the kernel is gone'));
  }

  /** As the browser's own: a path below the assistant's routes. Rejects where a connection would fail. */
  readonly fetch: Fetch = async (path, init) => {
    const signal = init.signal ?? new AbortController().signal;
    const wanted = await this.#knock(init.method === 'GET' ? Infinity : this.#patience.most, signal);
    return wanted === 'free' ? this.#request(path, init, signal) : this.#refusal(wanted);
  };

  #become(state: KernelState): void {
    if (this.#state !== state && this.#state !== 'gone') {
      this.#state = state;
      this.#onState(state);
    }
  }

  #endAll(error: Error): void {
    for (const waiting of [...this.#waiting.values()]) {
      waiting.fail(error);
    }
  }

  /** Once the kernel takes messages; `late` when it has not within `most` ms. Rejects on abort. */
  #knock(most: number, signal: AbortSignal): Promise<Wanted> {
    if (this.gone) {
      return Promise.resolve('gone');
    }
    return new Promise((resolve, reject) => {
      const id = this.#id();
      const timers = [this.#sayBusy()];
      const end = (): void => {
        timers.forEach(clearTimeout);
        signal.removeEventListener('abort', abort);
        this.#waiting.delete(id);
      };
      const settle = (wanted: Wanted): void => {
        end();
        resolve(wanted);
      };
      const abort = (): void => {
        end();
        reject(signal.reason as Error);
      };
      if (most < Infinity) {
        timers.push(
          setTimeout(() => {
            settle('late');
          }, most)
        );
      }
      signal.addEventListener('abort', abort);
      this.#waiting.set(id, {
        hear: () => {
          settle('free');
        },
        fail: () => {
          settle('gone');
        }
      });
      this.#send({ kind: 'knock', id });
    });
  }

  #sayBusy(): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      this.#become('busy');
    }, this.#patience.busy);
  }

  #request(path: string, init: RequestInit, signal: AbortSignal): Promise<Response> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const id = this.#id();
      const answer = new Answer(() => {
        this.#cancel(id);
      });
      const end = (error?: Error): void => {
        signal.removeEventListener('abort', abort);
        this.#waiting.delete(id);
        answer.end(error);
        if (error) {
          reject(error);
        }
      };
      const abort = (): void => {
        this.#cancel(id);
        end(signal.reason as Error);
      };
      signal.addEventListener('abort', abort);
      this.#waiting.set(id, {
        fail: end,
        hear: (kind, message) => {
          if (kind === 'head') {
            resolve(answer.begin(message));
          } else if (kind === 'chunk') {
            answer.add(message['text']);
          } else if (kind === 'end') {
            end();
          } else if (kind === 'lost') {
            end(new TypeError('the kernel has lost its server'));
          }
        }
      });
      this.#send({ kind: 'request', id, path, method: init.method ?? 'GET', headers: init.headers, body: init.body });
    });
  }

  /** Nobody reads that answer any more; its run goes on. */
  #cancel(id: string): void {
    if (!this.gone) {
      this.#send({ kind: 'cancel', id });
    }
  }

  /** Said as a server's own refusal, so that the panel shows it as one. */
  #refusal(wanted: Exclude<Wanted, 'free'>): Response {
    const trans = this.#trans;
    const error =
      wanted === 'gone'
        ? {
            code: 'kernel_gone',
            text: trans.__('The kernel of this panel was restarted or has ended.'),
            hint: trans.__(
              'Run the cell that shows this panel again; what was said here is kept where it was kept before.'
            )
          }
        : {
            code: 'kernel_busy',
            text: trans.__('The kernel is busy with a cell, and this panel reaches the assistant through the kernel.'),
            hint: trans.__('Nothing was asked. Ask again when the cell has ended, or interrupt it.')
          };
    return Response.json({ error }, { status: 409 });
  }
}

/** One answer that comes in pieces, as a `Response`. */
class Answer {
  readonly #encoder = new TextEncoder();
  readonly #left: () => void;
  #body: ReadableStreamDefaultController<Uint8Array> | null = null;

  /** `left`: nobody reads any more. */
  constructor(left: () => void) {
    this.#left = left;
  }

  begin({ status, headers }: Record<string, unknown>): Response {
    const code = typeof status === 'number' && status >= 200 && status <= 599 ? status : 502;
    const stream = new ReadableStream<Uint8Array>({
      start: controller => {
        this.#body = controller;
      },
      cancel: () => {
        this.#body = null;
        this.#left();
      }
    });
    const bare = [204, 205, 304].includes(code);
    return new Response(bare ? null : stream, { status: code, headers: words(headers) });
  }

  add(text: unknown): void {
    if (typeof text === 'string') {
      this.#body?.enqueue(this.#encoder.encode(text));
    }
  }

  end(error?: Error): void {
    const body = this.#body;
    this.#body = null;
    if (error) {
      body?.error(error);
    } else {
      body?.close();
    }
  }
}

/** The headers among values of any kind. */
function words(headers: unknown): [string, string][] {
  return Object.entries(object(headers)).filter((pair): pair is [string, string] => typeof pair[1] === 'string');
}
