import type { IOutput } from '@jupyterlab/nbformat';
import { expect, test } from 'vitest';
import { bounded, emptied, tail, trimmed } from '../src/lab/tab/cut';

const stream = (text: string | string[]): IOutput => ({ output_type: 'stream', name: 'stdout', text });
const shown = (data: object): IOutput => ({ output_type: 'display_data', data, metadata: {} }) as IOutput;
const LONG = `${'a'.repeat(2_000)}${'-'.repeat(20_000)}${'z'.repeat(4_000)}`;
const KEPT = `${'a'.repeat(2_000)}${'z'.repeat(4_000)}`;

test('outputs of ordinary size go as they are', () => {
  const outputs = [stream(['a\n', 'b']), shown({ 'text/plain': 'x', 'text/html': ['<b>', 'x</b>'] })];
  expect(trimmed(outputs)).toEqual(outputs);
});

test('long texts keep both ends and say how long they were', () => {
  const error = { output_type: 'error', ename: 'E', evalue: 'v', traceback: [LONG, 'last'] } as IOutput;
  const [one, two, three] = trimmed([stream([LONG]), shown({ 'text/html': LONG, 'text/plain': 'x' }), error]);
  expect(one).toMatchObject({ text: KEPT, metadata: { jupyter_assistant: { chars: { text: LONG.length } } } });
  expect(two?.data).toEqual({ 'text/html': KEPT, 'text/plain': 'x' });
  expect(two).toMatchObject({ metadata: { jupyter_assistant: { chars: { 'text/html': LONG.length } } } });
  const whole = `${LONG}\nlast`;
  expect(three).toMatchObject({ metadata: { jupyter_assistant: { chars: { traceback: whole.length } } } });
  expect(three?.traceback).toEqual([whole.slice(0, 2_000) + whole.slice(-4_000)]);
});

test('pictures keep what tells their size, other payloads their type', () => {
  const json = { a: [1, 2] };
  const [output] = trimmed([
    shown({ 'image/png': 'p'.repeat(5_000), 'image/svg+xml': '<svg/>', 'application/json': json, 'image/gif': 'g' })
  ]);
  expect(output?.data).toEqual({
    'image/png': 'p'.repeat(2_000),
    'image/svg+xml': '',
    'application/json': '',
    'image/gif': 'g'
  });
  const chars = { 'image/png': 5_000, 'image/svg+xml': 6, 'application/json': JSON.stringify(json).length };
  expect(output).toMatchObject({ metadata: { jupyter_assistant: { chars } } });
});

test('what is emptied afterwards still says its first length', () => {
  const [output] = emptied(trimmed([stream(LONG)]));
  expect(output).toMatchObject({ text: '', metadata: { jupyter_assistant: { chars: { text: LONG.length } } } });
});

test('outputs that are asked for whole are whole, but for what is too large for anybody', () => {
  const outputs = [stream('x'.repeat(50)), shown({ 'image/png': 'p'.repeat(200), 'text/plain': 'plot' })];
  expect(bounded(outputs)).toEqual(outputs);
  const [, picture] = bounded(outputs, 100);
  expect(picture?.data).toEqual({ 'text/plain': '[image/png: 200 characters left out]\nplot' });
  const [text] = bounded([stream(`${'x'.repeat(200_000)}end`)], 1_000);
  expect(text?.text).toMatch(/^\[text: 200003 characters left out\]\nx+end$/);
});

test('a running cell shows the end of what it prints', () => {
  const outputs = [shown({ 'text/plain': 'first' }), stream('0123456789'), stream('abc')];
  expect(tail(outputs)).toEqual({ outputs, left_out: 0 });
  expect(tail(outputs, 8)).toEqual({ outputs: [stream('56789'), stream('abc')], left_out: 10 });
});
