import { expect, test } from 'vitest';
import { led } from '../src/chat/lead';

test('a lead stands before what was typed', () => {
  expect(led('About cell 3: ', '')).toBe('About cell 3: ');
  expect(led('About cell 3: ', 'why?')).toBe('About cell 3: why?');
});

test('a second lead takes the place of the first and of nothing else', () => {
  expect(led('About cell 12: ', 'About cell 3: why?')).toBe('About cell 12: why?');
  expect(led('About cell 12: ', 'See About cell 3: why?')).toBe('About cell 12: See About cell 3: why?');
});

test('a lead in another language, with signs of patterns in it, is known again', () => {
  expect(led('[セル 7] (?): ', '[セル 1] (?): なぜ')).toBe('[セル 7] (?): なぜ');
});
