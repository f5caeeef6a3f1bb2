import { expect, test } from 'vitest';
import { heaps } from '../src/chat/http/heaps';
import { Lost } from '../src/chat/transport';

const NEVER = 60_000;

/** A body whose pieces are put in by hand. */
interface Body {
  readonly stream: ReadableStream<Uint8Array>;
  readonly put: (...texts: string[]) => void;
  readonly end: (error?: Error) => void;
}

function body(): Body {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const stream = new ReadableStream<Uint8Array>({
    start(given) {
      controller = given;
    }
  });
  return {
    stream,
    put: (...texts) => {
      texts.forEach(text => controller?.enqueue(new TextEncoder().encode(text)));
    },
    end: error => {
      if (error) {
        controller?.error(error);
      } else {
        controller?.close();
      }
    }
  };
}

/** What is given next, as text; null at the end. */
async function text(given: Promise<IteratorResult<readonly Uint8Array[]>>): Promise<string[] | null> {
  const next = await given;
  return next.done ? null : next.value.map(piece => new TextDecoder().decode(piece));
}

test('what comes after a silence is given at once, what comes soon after it together', async () => {
  const { stream, put, end } = body();
  const given = heaps(stream, NEVER);
  const first = text(given.next());
  put('a');
  expect(await first).toEqual(['a']);
  const second = text(given.next());
  put('b', 'c');
  await Promise.resolve();
  put('d');
  end();
  expect(await second).toEqual(['b', 'c', 'd']);
  expect(await text(given.next())).toBeNull();
});

test('what came before a failure is given before it', async () => {
  const { stream, put, end } = body();
  const given = heaps(stream, NEVER);
  const first = given.next();
  put('a');
  await first;
  const second = text(given.next());
  put('b');
  await new Promise(resolve => setTimeout(resolve));
  end(new TypeError('network error'));
  expect(await second).toEqual(['b']);
  await expect(given.next()).rejects.toBeInstanceOf(Lost);
});

test('who leaves lets go of the body', async () => {
  let left = false;
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('a'));
    },
    cancel() {
      left = true;
    }
  });
  for await (const heap of heaps(stream, NEVER)) {
    expect(heap).toHaveLength(1);
    break;
  }
  expect(left).toBe(true);
});
