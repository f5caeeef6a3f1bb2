// @vitest-environment node
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket as Far, WebSocketServer } from 'ws';
import type { Ends, Progressing } from '../src/lab/tab/line';
import { Line } from '../src/lab/tab/line';
import type { Listed, Request } from '../src/lab/tab/wire';
import { Refusal } from '../src/lab/tab/wire';

type Frame = Record<string, unknown>;

/** A server on loopback that notes what the page says. */
class Server {
  readonly far = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  readonly sockets: Far[] = [];
  readonly frames: Frame[] = [];
  #heard: () => void = () => undefined;

  constructor() {
    this.far.on('connection', socket => {
      this.sockets.push(socket);
      socket.on('message', data => {
        this.frames.push(JSON.parse(String(data)) as Frame);
        this.#heard();
      });
      socket.on('close', code => {
        this.frames.push({ type: 'closed', code });
        this.#heard();
      });
    });
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.far.address() as AddressInfo).port}/`;
  }

  get socket(): Far {
    const socket = this.sockets.at(-1);
    if (!socket) {
      throw new Error('nobody has connected');
    }
    return socket;
  }

  send(frame: Frame): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** The first frame that fits, taken out; waits for it. */
  async next(type: string, more: Frame = {}): Promise<Frame> {
    for (;;) {
      const fits = (each: Frame): boolean =>
        Object.entries({ type, ...more }).every(([key, value]) => each[key] === value);
      const at = this.frames.findIndex(fits);
      const [found] = at < 0 ? [] : this.frames.splice(at, 1);
      if (found) {
        return found;
      }
      await new Promise<void>(resolve => {
        this.#heard = resolve;
      });
    }
  }
}

const LISTED: Listed = {
  document: 'd1',
  path: 'a.ipynb',
  dirty: false,
  read_only: false,
  collaborative: false,
  views: 1,
  current: true,
  kernel_id: null
};

/** A promise, and what fulfils it. */
function later(): { readonly promise: Promise<object>; readonly resolve: (value: object) => void } {
  let fulfilled: ((value: object) => void) | undefined;
  const promise = new Promise<object>(resolve => {
    fulfilled = resolve;
  });
  return { promise, resolve: value => fulfilled?.(value) };
}

let server: Server;
let lines: Line[];
let documents: readonly Listed[];
let answer: Ends['answer'];

beforeEach(async () => {
  server = new Server();
  await new Promise<unknown>(resolve => {
    server.far.once('listening', resolve);
  });
  lines = [];
  documents = [LISTED];
  answer = () => Promise.resolve({ done: true });
});

afterEach(() => {
  lines.forEach(line => {
    line.dispose();
  });
  server.sockets.forEach(socket => {
    socket.terminate();
  });
  server.far.close();
});

async function opened(): Promise<Line> {
  const line = new Line({
    open: () => new Far(server.url) as unknown as WebSocket,
    window: 'w',
    documents: () => documents,
    answer: (request: Request, progressing: Progressing) => answer(request, progressing)
  });
  lines.push(line);
  await server.next('documents');
  return line;
}

const request = (id: number, more: Frame = {}): Frame => ({ type: 'request', id, method: 'read', params: {}, ...more });

test('it says who it is, then what is open, and again only what is another', async () => {
  const line = await opened();
  expect(line.isOpen).toBe(true);
  expect(await server.next('hello')).toEqual({ type: 'hello', window: 'w', protocol: 1 });
  line.tell();
  documents = [{ ...LISTED, dirty: true }];
  line.tell();
  expect(await server.next('documents')).toEqual({ type: 'documents', documents });
  line.tell(true);
  expect(await server.next('documents')).toEqual({ type: 'documents', documents });
  expect(server.frames).toEqual([]);
});

test('a ping is answered, and a frame that is not known is not minded', async () => {
  await opened();
  server.send({ type: 'later', id: 1 });
  server.socket.send('no JSON');
  server.send({ type: 'ping', id: 2, now: 1 });
  expect(await server.next('pong')).toEqual({ type: 'pong', id: 2 });
});

test('requests are met beside each other, with what they show meanwhile', async () => {
  const slow = later();
  answer = ({ method }, { progress }) => {
    progress([method]);
    return method === 'run' ? slow.promise : Promise.resolve({ read: true });
  };
  await opened();
  server.send(request(1, { method: 'run' }));
  server.send(request(2));
  expect(await server.next('progress', { id: 1 })).toMatchObject({ cells: ['run'] });
  expect(await server.next('reply')).toEqual({ type: 'reply', id: 2, ok: true, result: { read: true } });
  slow.resolve({ ran: true });
  expect(await server.next('reply')).toEqual({ type: 'reply', id: 1, ok: true, result: { ran: true } });
});

test('a refusal is answered with its sentence, a fault with its own', async () => {
  answer = ({ id }) =>
    Promise.reject(id === 1 ? new Refusal('stale', 'It changed.', 'Read.', { cell_id: 'c' }) : new Error('oh'));
  await opened();
  server.send(request(1));
  expect((await server.next('reply'))['error']).toEqual({
    code: 'stale',
    text: 'It changed.',
    hint: 'Read.',
    cell_id: 'c'
  });
  server.send(request(2));
  expect((await server.next('reply'))['error']).toMatchObject({ code: 'internal' });
});

test('what the server gives up is aborted', async () => {
  answer = (_, { signal }) =>
    new Promise(resolve => {
      signal.addEventListener('abort', () => {
        resolve({ aborted: true });
      });
    });
  await opened();
  server.send(request(1, { method: 'run' }));
  server.send({ type: 'cancel', id: 1 });
  expect((await server.next('reply'))['result']).toEqual({ aborted: true });
});

test('a request that lay in a frozen page for too long is not begun', async () => {
  const begun: number[] = [];
  answer = ({ id }) => {
    begun.push(id);
    return Promise.resolve({});
  };
  await opened();
  const now = performance.now();
  server.send({ type: 'ping', id: 1, now: now + 50_000 });
  server.send(request(2, { method: 'apply', now: now + 47_000, within_ms: 2_000 }));
  server.send(request(3, { method: 'apply', now: now + 49_000, within_ms: 2_000 }));
  server.send(request(4, { method: 'read', now: now + 40_000 }));
  expect((await server.next('reply', { id: 2 }))['error']).toMatchObject({ code: 'cancelled' });
  expect(await server.next('reply', { id: 4 })).toMatchObject({ ok: true });
  expect(begun).toEqual([3, 4]);
});

test('a line that breaks is opened again, and what was asked on it is not answered there', async () => {
  const slow = later();
  const signals: AbortSignal[] = [];
  answer = (_, { signal }) => {
    signals.push(signal);
    return slow.promise;
  };
  const line = await opened();
  server.send(request(1, { method: 'run' }));
  server.send({ type: 'ping', id: 2, now: 1 });
  await server.next('pong');
  server.socket.terminate();
  await server.next('documents');
  expect(line.isOpen).toBe(true);
  slow.resolve({});
  server.send({ type: 'ping', id: 3, now: 1 });
  await server.next('pong');
  expect(signals.map(signal => signal.aborted)).toEqual([false]);
  expect(server.frames.filter(({ type }) => type === 'reply')).toEqual([]);
});

test('a line that another of this window has replaced stays closed, and so does one that is disposed', async () => {
  const [replaced, disposed] = [await opened(), await opened()];
  server.sockets[0]?.close(4001, 'replaced');
  await server.next('closed');
  disposed.dispose();
  expect(await server.next('closed')).toEqual({ type: 'closed', code: 1000 });
  expect([replaced.isOpen, disposed.isOpen]).toEqual([false, false]);
  await opened();
  expect(server.sockets).toHaveLength(3);
});
