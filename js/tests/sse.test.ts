import { expect, test } from 'vitest';
import type { Frame } from '../src/chat/http/sse';
import { FrameParser } from '../src/chat/http/sse';
import { goldenAnswer } from './script';

const encoder = new TextEncoder();

function inPieces(bytes: Uint8Array, size: number): Frame[] {
  const parser = new FrameParser();
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    frames.push(...parser.push(bytes.subarray(at, at + size)));
  }
  return frames;
}

const SAMPLES: [string, string, Frame[]][] = [
  ['LF', 'id: 1\nevent: token\ndata: a\n\n', [{ id: '1', name: 'token', data: 'a' }]],
  ['CR', 'id: 1\revent: token\rdata: a\r\r', [{ id: '1', name: 'token', data: 'a' }]],
  ['CRLF', 'id: 1\r\nevent: token\r\ndata: a\r\n\r\n', [{ id: '1', name: 'token', data: 'a' }]],
  ['a byte order mark', '\ufeffdata: a\n\n', [{ id: '', name: 'message', data: 'a' }]],
  ['comments', ': \n\n: beat\ndata: a\n: beat\n\n', [{ id: '', name: 'message', data: 'a' }]],
  ['many data lines', 'data: a\ndata:b\ndata\ndata:  c\n\n', [{ id: '', name: 'message', data: 'a\nb\n\n c' }]],
  [
    'line separators of other standards',
    'data: a\u2028b\u2029c\u0085d\n\n',
    [{ id: '', name: 'message', data: 'a\u2028b\u2029c\u0085d' }]
  ],
  ['every width of UTF-8', 'data: aé€👩‍🔬\n\n', [{ id: '', name: 'message', data: 'aé€👩‍🔬' }]],
  [
    'an id that stays',
    'id: 7\ndata: a\n\ndata: b\n\n',
    [
      { id: '7', name: 'message', data: 'a' },
      { id: '7', name: 'message', data: 'b' }
    ]
  ],
  ['an event without data', 'event: x\n\ndata: b\n\n', [{ id: '', name: 'message', data: 'b' }]],
  ['unknown fields', 'retry: 5\nfoo: bar\ndata: a\n\n', [{ id: '', name: 'message', data: 'a' }]],
  ['an unfinished frame', 'data: a\n\ndata: lost\n', [{ id: '', name: 'message', data: 'a' }]]
];

test.each(SAMPLES)('reads %s in pieces of any size', (_, text, frames) => {
  const bytes = encoder.encode(text);
  for (const size of [bytes.length, 1, 2, 3, 5]) {
    expect(inPieces(bytes, size)).toEqual(frames);
  }
});

test('reads a line of one megabyte, whole and in pieces', () => {
  const data = 'é'.repeat(500_000);
  const bytes = encoder.encode(`data: ${data}\n\n`);
  for (const size of [bytes.length, 4_096, 7]) {
    expect(inPieces(bytes, size)[0]?.data.length).toBe(data.length);
  }
});

test('reads the golden answer the same, however it is cut', () => {
  const bytes = goldenAnswer();
  const whole = inPieces(bytes, bytes.length);
  expect(whole.map(frame => Number(frame.id))).toEqual(whole.map((_, index) => index + 1));
  for (let size = 1; size < 40; size++) {
    expect(inPieces(bytes, size)).toEqual(whole);
  }
});
