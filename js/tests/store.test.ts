import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { begin } from '../src/chat/conversation';
import { Store } from '../src/chat/store';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'requestAnimationFrame', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A store that is told something new `count` times, once a millisecond, and how often it was painted. */
function flooded(count: number): number {
  const store = new Store(begin('k'));
  const painted = vi.fn();
  store.subscribe(painted);
  for (let n = 0; n < count; n++) {
    store.dispatch({ do: 'draft', text: `m${n}` });
    vi.advanceTimersByTime(1);
  }
  return painted.mock.calls.length;
}

test('a change after a rest is painted in the next frame', () => {
  expect(flooded(17)).toBe(1);
});

test('a flood is painted twenty times a second', () => {
  const painted = flooded(1_000);
  expect(painted).toBeGreaterThanOrEqual(15);
  expect(painted).toBeLessThanOrEqual(21);
});

test('the last change of a flood is painted', () => {
  const store = new Store(begin('k'));
  const seen: (string | undefined)[] = [];
  store.subscribe(() => seen.push(store.chat.draft?.text));
  ['a', 'b'].forEach(text => {
    store.dispatch({ do: 'draft', text });
    vi.advanceTimersByTime(17);
  });
  vi.advanceTimersByTime(100);
  expect(seen).toEqual(['a', 'b']);
});
