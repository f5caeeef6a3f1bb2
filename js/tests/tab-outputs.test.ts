import { CodeCellModel } from '@jupyterlab/cells';
import { expect, test, vi } from 'vitest';
import { moves, show } from '../src/lab/tab/outputs';
import type { Json } from '../src/lab/tab/wire';

vi.hoisted(() => {
  // JupyterLab asks the page for these when it is loaded; jsdom has none.
  globalThis.DragEvent = class extends MouseEvent {} as typeof DragEvent;
  globalThis.matchMedia = media => Object.assign(new EventTarget(), { media, matches: false }) as MediaQueryList;
});

const printed = (text: string, name = 'stdout'): Json => ({ output_type: 'stream', name, text });
const shown = (text: string): Json => ({ output_type: 'display_data', data: { 'text/plain': text }, metadata: {} });

test('outputs that are there already stay as they are', () => {
  expect(moves([printed('a'), shown('b')], [printed('a'), shown('b')])).toEqual([]);
});

test('a stream that has grown gets only what is new, and what comes after is added', () => {
  expect(moves([printed('a\n')], [printed('a\nb\n'), shown('c')])).toEqual([
    { move: 'print', index: 0, text: 'b\n' },
    { move: 'add', output: shown('c') }
  ]);
});

test.each([
  ['an output that was updated', shown('old'), shown('new')],
  ['a stream whose head was left out', printed('long'), printed('ng')],
  ['a stream of another name', printed('a'), printed('ab', 'stderr')]
])('%s is set in its place', (_, old, now) => {
  expect(moves([shown('first'), old], [shown('first'), now])).toEqual([{ move: 'set', index: 1, output: now }]);
});

test('fewer outputs, or outputs of another kind, are put in anew', () => {
  expect(moves([printed('a'), shown('b')], [printed('a')])).toBeNull();
  expect(moves([printed('a')], [shown('a')])).toBeNull();
});

test.each([
  ['that grow', [[printed('1\n')], [printed('1\n2\n')], [printed('1\n2\n'), shown('x')]]],
  ['that were cleared', [[printed('1\n'), shown('x')], [], [printed('2\n')]]],
  ['of another kind', [[shown('x')], [printed('1\n')], [printed('1\n'), printed('2\n', 'stderr')]]],
  [
    'that are updated',
    [
      [shown('1'), printed('a')],
      [shown('2'), printed('a')],
      [shown('2'), printed('b')]
    ]
  ],
  ['a list of lines', [[{ ...printed(''), text: ['1\n', '2\n'] }], [{ ...printed(''), text: ['1\n', '2\n', '3\n'] }]]]
])('a cell has, to be shown and to be saved, exactly the outputs given: %s', (_, writes) => {
  const cell = new CodeCellModel();
  for (const outputs of writes) {
    show(cell, { outputs, execution_count: 7 });
    const whole = outputs.map(each => (Array.isArray(each['text']) ? printed(each['text'].join('')) : each));
    expect(cell.outputs.toJSON()).toEqual(whole);
    expect(cell.sharedModel.getOutputs()).toEqual(whole);
  }
  expect(cell.executionCount).toBe(7);
  cell.dispose();
});
