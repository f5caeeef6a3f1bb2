/** Each request the panel can make, as a golden file that the kernel's list of routes is held against (pytest). */

import { join } from 'node:path';
import { expect, test } from 'vitest';
import { httpTransport } from '../src/chat/http';

const GOLDEN = join(import.meta.dirname, '..', '..', 'tests', 'golden', 'panel-routes.json');

/** Words for any function of the transport; each takes what it knows. */
const WORDS: Record<string, unknown[]> = {
  ask: [{ question: 'q', request_id: 'r' }],
  resume: ['id1', 3],
  answer: [{ question: 'q', request_id: 'r' }],
  preview: [{ question: 'q', request_id: 'r' }],
  conversations: [true],
  change: ['id1', { pinned: true }],
  exported: ['id1', 'md'],
  tryModel: [{}],
  configure: [{}]
};

function isStream(result: unknown): result is AsyncIterable<unknown> {
  return typeof result === 'object' && result !== null && Symbol.asyncIterator in result;
}

test('the golden file names every request of the transport', async () => {
  const asked: string[] = ['GET health'];
  const transport = httpTransport((path, init) => {
    asked.push(`${init.method ?? 'GET'} ${path}`);
    return Promise.resolve(Response.json({}));
  });
  const { signal } = new AbortController();
  for (const [name, act] of Object.entries(transport) as [string, (...words: unknown[]) => unknown][]) {
    const words = WORDS[name] ?? (act.length > 1 ? ['id1', 'id2', {}, {}].slice(0, act.length - 1) : []);
    const result = act(...words, signal);
    try {
      await (isStream(result) ? result[Symbol.asyncIterator]().next() : result);
    } catch {
      // only what is asked for counts here
    }
  }
  asked.push('GET conversations', 'GET conversations/id1/export?format=json');
  await expect(`${JSON.stringify([...new Set(asked)].sort(), null, 2)}\n`).toMatchFileSnapshot(GOLDEN);
});
