import { expect, test } from 'vitest';
import { fenceClosed, languageName, lastCode } from '../src/chat/markdown/fence';

test.each([
  ['```py\nx\n```', true],
  ['```py\nx\n```  \n', true],
  ['~~~\nx\n~~~~', true],
  ['```\n```', true],
  ['```py\nx', false],
  ['```py\nx\n``', false],
  ['```py\nx\n~~~', false],
  ['````md\n```py\nx\n```', false],
  ['```py\nx\n```js', false],
  ['    indented', false]
])('%j is closed: %j', (raw, closed) => {
  expect(fenceClosed(raw)).toBe(closed);
});

test('the last whole block is found wherever it stands, and one that was cut off is passed over', () => {
  const text = '```py\na = 1\n```\n\n1. then\n\n   > ```R title\n   > b\n   > ```\n\nand\n\n```sql\nselect';
  expect(lastCode(text)).toEqual({ text: 'b', language: 'r' });
});

test('without a fence there is no code, and indented text is none', () => {
  expect(lastCode('some `code` here\n\n    x = 1')).toBeNull();
  expect(lastCode('')).toBeNull();
});

test('a language is a word, whatever its fence says', () => {
  expect(languageName('Python hl="1"')).toBe('python');
  expect(languageName('<img onerror=x>')).toBe('');
});
