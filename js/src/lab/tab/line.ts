/**
 * The line to the server: one WebSocket, opened again when it breaks.
 *
 * The law: what the server has given up is not begun; a line that breaks stops nothing that runs; while the server is
 * gone, the pauses grow and nothing is said.
 */

import type { Incoming, Listed, Request } from './wire';
import { incoming, Refusal } from './wire';

const PROTOCOL = 1;
/** Milliseconds before the first attempt after a break, and the most: whom the server does not know it edits by file. */
const [FIRST_MS, MOST_MS] = [500, 8_000];
/** The same where the server did not understand us. */
const WRONG_MS = 60_000;
/** Milliseconds in which changes of the list are gathered. */
const GATHER_MS = 16;

/** A socket's `readyState` once frames can go. */
const OPEN = 1;

/** Close codes: replaced by a newer line of this window; a frame of ours was wrong. */
const [REPLACED, WRONG] = [4001, 4000];

export interface Progressing {
  readonly progress: (cells: readonly unknown[]) => void;
  /** Aborted when the server gives the request up. */
  readonly signal: AbortSignal;
}

export interface Ends {
  /** A new socket to the server; raises for none. */
  readonly open: () => WebSocket;
  readonly window: string;
  readonly documents: () => readonly Listed[];
  /** The result of a request; raises a `Refusal`. */
  readonly answer: (request: Request, line: Progressing) => Promise<object>;
}

export class Line {
  readonly #ends: Ends;
  readonly #controllers = new Map<number, AbortController>();
  #socket: WebSocket | null = null;
  #pause = FIRST_MS;
  #retry: ReturnType<typeof setTimeout> | null = null;
  #gathering: ReturnType<typeof setTimeout> | null = null;
  #listed = '';
  /** Milliseconds by which our clock is ahead of the server's, with the shortest way of a frame. */
  #ahead = Infinity;
  #ended = false;

  constructor(ends: Ends) {
    this.#ends = ends;
    this.#connect();
  }

  /** Whether the server has the list of this window's notebooks. */
  get isOpen(): boolean {
    return this.#socket?.readyState === OPEN && this.#listed !== '';
  }

  /** Sends the list soon; with `anyway` also when it is as it was. */
  tell(anyway = false): void {
    this.#listed = anyway ? '-' : this.#listed;
    this.#gathering ??= setTimeout(() => {
      this.#gathering = null;
      this.#list();
    }, GATHER_MS);
  }

  dispose(): void {
    this.#ended = true;
    clearTimeout(this.#retry ?? undefined);
    clearTimeout(this.#gathering ?? undefined);
    this.close();
  }

  /** Says goodbye; a page that comes back opens the line again. */
  close(): void {
    this.#socket?.close(1000);
  }

  // -------------------------------------------------------------- the socket

  #connect(): void {
    this.#retry = null;
    let socket: WebSocket;
    try {
      socket = this.#ends.open();
    } catch {
      this.#again(0);
      return;
    }
    this.#socket = socket;
    this.#listed = '';
    this.#ahead = Infinity;
    socket.onopen = () => {
      this.#send({ type: 'hello', window: this.#ends.window, protocol: PROTOCOL });
      this.#list();
    };
    socket.onmessage = ({ data }) => {
      this.#take(incoming(data));
    };
    socket.onclose = ({ code }) => {
      if (this.#socket === socket) {
        this.#socket = null;
        this.#controllers.clear();
        this.#again(code);
      }
    };
  }

  #again(code: number): void {
    if (this.#ended || code === REPLACED) {
      return;
    }
    const pause = code === WRONG ? WRONG_MS : this.#pause;
    this.#pause = Math.min(MOST_MS, this.#pause * 2);
    this.#retry = setTimeout(
      () => {
        this.#connect();
      },
      pause * (0.75 + Math.random() / 2)
    );
  }

  #send(frame: object): void {
    if (this.#socket?.readyState === OPEN) {
      this.#socket.send(JSON.stringify(frame));
    }
  }

  #list(): void {
    const documents = this.#ends.documents();
    const listed = JSON.stringify(documents);
    if (listed !== this.#listed && this.#socket?.readyState === OPEN) {
      this.#send({ type: 'documents', documents });
      this.#listed = listed;
    }
  }

  // -------------------------------------------------------------- frames

  #take(frame: Incoming | null): void {
    this.#pause = FIRST_MS;
    switch (frame?.type) {
      case 'ping':
        this.#late(frame);
        this.#send({ type: 'pong', id: frame.id });
        break;
      case 'cancel':
        this.#controllers.get(frame.id)?.abort();
        break;
      case 'request':
        void this.#meet(frame);
        break;
    }
  }

  /** Whether a frame lay here for longer than it is wanted: the page was frozen. */
  #late({ now, within_ms = null }: { readonly now: number | null; readonly within_ms?: number | null }): boolean {
    const ahead = now === null ? 0 : performance.now() - now;
    this.#ahead = now === null ? this.#ahead : Math.min(this.#ahead, ahead);
    return now !== null && within_ms !== null && ahead - this.#ahead > within_ms;
  }

  async #meet(request: Request): Promise<void> {
    const { id } = request;
    const [socket, controller] = [this.#socket, new AbortController()];
    const send = (frame: object): void => {
      if (this.#socket === socket) {
        this.#send({ ...frame, id });
      }
    };
    this.#controllers.set(id, controller);
    try {
      if (this.#late(request)) {
        throw new Refusal('cancelled', 'The page did not answer in time; nothing was done.');
      }
      const progress = (cells: readonly unknown[]): void => {
        send({ type: 'progress', cells });
      };
      const result = await this.#ends.answer(request, { progress, signal: controller.signal });
      send({ type: 'reply', ok: true, result });
    } catch (error) {
      send({ type: 'reply', ok: false, error: refusal(error).wire });
    } finally {
      if (this.#controllers.get(id) === controller) {
        this.#controllers.delete(id);
      }
    }
  }
}

function refusal(error: unknown): Refusal {
  if (error instanceof Refusal) {
    return error;
  }
  console.error('jupyter-assistant:', error);
  return new Refusal(
    'internal',
    `JupyterLab could not do it: ${error instanceof Error ? error.message : String(error)}`
  );
}
