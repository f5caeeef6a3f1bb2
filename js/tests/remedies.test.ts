import { expect, test } from 'vitest';
import type { Answer } from '../src/chat/conversation';
import { awaited } from '../src/chat/conversation';
import { passed, patience } from '../src/chat/patience';
import { biggest, remedy } from '../src/chat/remedies';

const AROUND = { connected: true, keyed: false, locked: [], later: false };
const item = (label: string, chars: number) => ({
  kind: 'cell',
  label,
  path: 'a.ipynb',
  cell_id: 'c',
  chars,
  truncated: false
});
const GIVEN = {
  items: [item('small', 1), item('large', 90), item('middle', 5), item('tiny', 0)],
  chars: 96,
  budget: 9
};

function failing(code: string, more: Partial<Answer> = {}): Answer {
  return { ...awaited('a', 'r'), asked: true, state: 'error', failure: { code, text: 't', hint: 'h' }, ...more };
}

test.each([
  ['no_model', 'model'],
  ['key_rejected', 'key'],
  ['endpoint_not_found', 'address'],
  ['not_a_gateway', 'address'],
  ['model_not_found', 'model'],
  ['permission_denied', 'model'],
  ['quota_exceeded', 'model'],
  ['rate_limited', 'retry'],
  ['gateway_down', 'retry'],
  ['notebook_not_found', 'bare'],
  ['context_too_long', 'edit'],
  ['invalid', 'edit'],
  ['whatever', 'retry']
])('%s offers %s', (code, wanted) => {
  expect(remedy(failing(code), AROUND)).toBe(wanted);
});

test('without any endpoint a model is connected', () => {
  expect(remedy(failing('no_model'), { ...AROUND, connected: false })).toBe('connect');
});

test('what is locked is not offered', () => {
  expect(remedy(failing('no_model'), { ...AROUND, locked: ['model'] })).toBe('retry');
  expect(remedy(failing('key_rejected'), { ...AROUND, locked: ['api_key'] })).toBe('retry');
  const long = failing('context_too_long', { given: GIVEN });
  expect(remedy(long, { ...AROUND, locked: ['context_tokens'] })).toBe('edit');
});

test('a context that is too long is made smaller where it can be', () => {
  const long = failing('context_too_long', { given: GIVEN });
  expect(remedy(long, AROUND)).toBe('budget');
  expect(remedy(long, { ...AROUND, later: true })).toBe('fresh');
  expect(biggest(long).map(({ label }) => label)).toEqual(['large', 'middle', 'small']);
  expect(biggest(failing('context_too_long'))).toEqual([]);
});

test('a stopped answer goes on, or is asked again where there is none', () => {
  expect(remedy({ ...awaited('a'), state: 'cancelled', text: 'half' })).toBe('continue');
  expect(remedy({ ...awaited('a'), state: 'cancelled' })).toBe('retry');
  expect(remedy({ ...awaited('a'), state: 'stop', text: 'all' })).toBeNull();
});

test('while it waits, waiting can be cancelled and nothing else', () => {
  expect(remedy(failing('rate_limited', { until: 5 }), AROUND)).toBe('cancel');
});

test('patience is bounded, and only for who has asked here', () => {
  const limited = (retry_after?: number): Answer =>
    failing('rate_limited', {
      failure: { code: 'rate_limited', text: '', hint: '', ...(retry_after === undefined ? {} : { retry_after }) }
    });
  expect(patience(limited(3))).toBe(3);
  expect(patience(limited())).toBe(10);
  expect(patience(limited(3_600))).toBeNull();
  expect(patience({ ...limited(3), asked: false })).toBeNull();
  expect(patience(failing('gateway_down'))).toBeNull();
});

test('waiting ends with its time or with its signal', async () => {
  expect(await passed(0, new AbortController().signal)).toBe(true);
  const abort = new AbortController();
  const waiting = passed(3_600, abort.signal);
  abort.abort();
  expect(await waiting).toBe(false);
});
