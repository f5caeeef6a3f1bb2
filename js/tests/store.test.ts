import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Action } from '../src/chat/conversation';
import { begin } from '../src/chat/conversation';
import { Store } from '../src/chat/store';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'requestAnimationFrame', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Something that nobody waits for with the next key. */
const told = (text: string): Action => ({ do: 'complain', failure: { code: 'failed', text, hint: '' } });

/**
 * A store that is told something new `count` times, once a millisecond, and how often it was painted. Each painting
 * takes `cost` milliseconds.
 */
function flooded(count: number, cost = 0): number {
  const store = new Store(begin('k'));
  const painted = vi.fn(() => {
    const before = performance.now();
    const busy = vi.spyOn(performance, 'now').mockImplementation(() => before + cost);
    setTimeout(() =>
      setTimeout(() => {
        busy.mockRestore();
      })
    );
  });
  store.subscribe(painted);
  for (let n = 0; n < count; n++) {
    store.dispatch(told(`m${n}`));
    vi.advanceTimersByTime(1);
  }
  return painted.mock.calls.length;
}

test('a change after a rest is painted in the next frame', () => {
  expect(flooded(17)).toBe(1);
});

test('a flood is painted twelve times a second', () => {
  const painted = flooded(1_000);
  expect(painted).toBeGreaterThanOrEqual(10);
  expect(painted).toBeLessThanOrEqual(13);
});

test('the longer a painting takes the longer is the rest after it, within bounds', () => {
  expect(flooded(1_000, 40)).toBeLessThan(flooded(1_000) - 1);
  expect(flooded(2_000, 200)).toBeGreaterThanOrEqual(4);
});

test('the last change of a flood is painted', () => {
  const store = new Store(begin('k'));
  const seen: (string | undefined)[] = [];
  store.subscribe(() => seen.push(store.chat.complaint?.text));
  ['a', 'b'].forEach(text => {
    store.dispatch(told(text));
    vi.advanceTimersByTime(17);
  });
  vi.advanceTimersByTime(100);
  expect(seen).toEqual(['a', 'b']);
});

test('what changes where the next key goes is heard of at once, in a flood too', () => {
  const store = new Store(begin('k'));
  const seen: string[] = [];
  store.subscribe(() => seen.push(store.chat.shown));
  store.dispatch(told('flood'));
  store.dispatch({ do: 'show', key: 'other', id: '', title: '' });
  expect(seen).toEqual(['other']);
  vi.advanceTimersByTime(17);
  expect(seen).toEqual(['other', 'other']);
});
