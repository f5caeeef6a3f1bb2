import type { IOutput } from '@jupyterlab/nbformat';
import { expect, test } from 'vitest';
import { LARGE, sendable } from '../src/lab/cut';

const png = 'iVBOR'.repeat(60_000);

test('outputs of ordinary size are sent as they are', () => {
  const outputs: IOutput[] = [{ output_type: 'stream', name: 'stdout', text: ['a\n', 'b\n'] }];
  expect(sendable(outputs)).toBe(outputs);
});

test('a large text keeps its head and its tail and says how much is missing', () => {
  const text = `first${'x'.repeat(LARGE)}last`;
  const [output] = sendable([{ output_type: 'stream', name: 'stdout', text: [text.slice(0, 10), text.slice(10)] }]);
  const cut = output?.text as string;
  expect(cut.length).toBeLessThan(20_000);
  expect(cut.startsWith('firstx') && cut.endsWith('xlast')).toBe(true);
  expect(cut).toContain(`[${text.length - 16_000} characters left out]`);
});

test('a large picture keeps its type only, the text beside it stays', () => {
  const data = { 'image/png': png, 'text/plain': '<Figure>', 'application/json': { a: 1 } };
  const [output] = sendable([{ output_type: 'display_data', data, metadata: {} }]);
  expect(output?.data).toEqual({ 'image/png': '', 'text/plain': '<Figure>', 'application/json': '' });
});

test('a traceback stays whole beside a large picture', () => {
  const error = { output_type: 'error', ename: 'E', evalue: 'v', traceback: ['line\n'.repeat(9_000)] };
  const outputs = sendable([{ output_type: 'display_data', data: { 'image/png': png }, metadata: {} }, error]);
  expect(outputs[1]).toEqual(error);
});
