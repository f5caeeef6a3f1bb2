import { expect, test } from 'vitest';
import type { Splice } from '../src/lab/tab/difference';
import { splices } from '../src/lab/tab/difference';

function made(before: string, changes: readonly Splice[]): string {
  return changes.reduceRight((text, { start, end, text: put }) => text.slice(0, start) + put + text.slice(end), before);
}

test.each([
  ['', ''],
  ['', 'a'],
  ['a', ''],
  ['a\nb\nc', 'a\nb\nc'],
  ['a\nb\nc', 'a\nx\nc'],
  ['a\nb\nc\n', 'c\na\nb'],
  ['x = 1\ny = 2\nz = 3', 'x = 100\ny = 2\nz = 300'],
  ['one\ntwo\n\nthree\n', 'zero\none\n\ntwo\nthree'],
  ['aaa', 'aaaa'],
  ['a\r\nb\rc', 'a\r\nB\rc'],
  ['👍🏽', '👍🏿'],
  ['a😀b', 'a😁b'],
  ['😀', '😀😀']
])('%j becomes %j', (before, after) => {
  expect(made(before, splices(before, after))).toBe(after);
});

test('lines that both have stay untouched', () => {
  expect(splices('x = 1\ny = 2\nz = 3', 'x = 100\ny = 2\nz = 300')).toEqual([
    { start: 5, end: 5, text: '00' },
    { start: 17, end: 17, text: '00' }
  ]);
});

test('within a line only what differs is changed', () => {
  expect(splices('a\ntotal = price * count\nb', 'a\ntotal = cost * count\nb')).toEqual([
    { start: 10, end: 15, text: 'cost' }
  ]);
});

test('no change cuts a character in two', () => {
  const halves = (text: string): boolean =>
    /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text);
  for (const [before, after] of [
    ['a😀b', 'a😁b'],
    ['😀😀', '😀'],
    ['𝒳', '𝒴'],
    ['𐀀x', '𑀀x']
  ] as const) {
    for (const { start, end, text } of splices(before, after)) {
      expect([text, before.slice(0, start), before.slice(end)].some(halves)).toBe(false);
    }
  }
});

test('random texts come out right', () => {
  let seed = 7;
  const random = (most: number): number => (seed = (seed * 16_807) % 2_147_483_647) % most;
  const text = (): string => Array.from({ length: random(12) }, () => 'ab\n😀'.match(/./gsu)?.[random(4)]).join('');
  for (let round = 0; round < 2_000; round++) {
    const [before, after] = [text(), text()];
    expect(made(before, splices(before, after))).toBe(after);
  }
});

test('a very long text is changed as one piece', () => {
  const before = Array.from({ length: 900 }, (_, line) => `old ${line}\n`).join('');
  const after = Array.from({ length: 900 }, (_, line) => `new ${line}\n`).join('');
  const changes = splices(before, after);
  expect(changes).toHaveLength(1);
  expect(made(before, changes)).toBe(after);
});
