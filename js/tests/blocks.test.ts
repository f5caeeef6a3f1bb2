import type { Token } from 'marked';
import { Lexer } from 'marked';
import { expect, test } from 'vitest';
import type { Parsed } from '../src/chat/markdown/blocks';
import { advance, EMPTY, lexing } from '../src/chat/markdown/blocks';

const SAMPLES = [
  'One paragraph.',
  'Two\n\nparagraphs, and\na line.\n',
  '# Title\n\nText\n\n## Sub\nmore',
  'Setext\n===\n\nSub\n---\n\nafter',
  '- a\n- b\n\n- c\n  - d\n\n    para in d\n\nafter',
  '1. one\n2. two\n   - nested\n\n3. three\n\n\ntext',
  '- [x] done\n- [ ] open\n\nend',
  '```python\nx = 1\n\n\ny = "```"\n```\n\nafter\n\n~~~\ntilde\n~~~\n',
  'text\n```js\nunclosed\n\n# not a heading',
  '| a | b |\n|---|:-:|\n| 1 | 2 |\n| 3 | 4 |\n\nafter the table',
  'not | a table\nstill not\n\n| a |\n|---|\n',
  '> quote\n> more\nlazy\n\n> > deep\n\nout',
  '    indented code\n\n    more\n\ntext',
  'para\n\n    code after\n\npara',
  '<div>\nraw **html**\n\n</div>\n\n<!-- comment\n\nstill -->\n\nafter',
  '***\n\n---\n\n- - -\n',
  'a\\\nb  \nc\n\n\\*escaped\\* &amp; &lt; &#128512;',
  'CRLF\r\n\r\nlines\r\n\r\n- a\r\n- b\r\n\r\n```\r\ncode\r\n```\r\n',
  '**bold** *em* ~~del~~ `code` [link](https://example.org "t") ![i](https://x.y/z.png)',
  'Über – größe 👩‍🔬 日本語\n\n数式 $x^2$\n\nعربي',
  '1) a\n2) b\n\n* star\n\n+ plus\n',
  '\n\n\nleading\n\n\n\ntrailing\n\n\n',
  'a\n***\nb\n\nc\n- d\n\ne',
  'Let $a_1$ be *x $b*c$ y*, \\(d_2\\) and $$e$$ in a line; costs $5 and $10.\n\nThen \\[f\\] too.',
  'Sum:\n$$\na\n+ b\n- c\n= d\n# e\n\\begin{x}\n$$\nafter\n\nmore',
  '$$\nnever closed\n+ a\n\n- b\n\nc',
  '\\[\n1. x\n> y\n\\]\n\n- item\n\n  $$\n  z\n  $$\n- other\n\nend',
  'text\n\\begin{align*}\na &= b \\\\\n+ c\n\\end{align*}\n\n> $$\n> q\n> $$\n\nend',
  '```math\n\\frac{a}{b}\n\n+ c\n```\n\n`$x$` and $y$`z`\n\n| $a$ | $b_1$ |\n|---|---|\n| $$c$$ | \\(d\\) |\n',
  '$$ is slang, $$5 too\n\n**$HOME/$PATH**\n\n$ x $ and $$\n$$\n\nend'
];

const REFERENCES = [
  'First [one], then $x$.\n\nA [two].\n\n- in a list [one]\n\n| [two] |\n|---|\n| [one] |\n\n> [two]\n\n[one]: <https://one.example>\n[two]: https://two.example\n',
  'A note[^1] and ![picture][p].\n\nMore text.\n\nEven more.\n\n[^1]: What it says.\n[p]: https://pictures.example/p.png',
  'See [one] and [two][b].\n\n[one]: https://one.example\n[b]: https://two.example "T"\n\nAgain [one].',
  '[x]: https://x.example\n\nUse [x] here.\n\nAnd [x] there.\n\n- [x]\n'
];

function shape(parsed: Parsed): unknown[] {
  return [...parsed.committed, ...parsed.tail].map(block => bare(block.token));
}

/** A token without what only says where the blank lines went. */
function bare(token: Token): unknown {
  return JSON.parse(
    JSON.stringify(token, (key, value: unknown) => (key === 'raw' || key === 'escaped' ? undefined : value))
  );
}

/** A text that still grows, without the lines of its last paragraph that may become a table's head. */
function known(text: string): string {
  const last = new Lexer(lexing(false)).lex(text).at(-1);
  const head = / {0,3}\|.*(?:\n[-|: \t]*)?$/.exec(last?.type === 'paragraph' ? last.raw : '');
  return head && (head.index === 0 || last?.raw[head.index - 1] === '\n') ? text.slice(0, -head[0].length) : text;
}

function full(text: string, whole = true): unknown[] {
  const tokens = new Lexer(lexing(whole)).lex(whole ? text : known(text));
  return tokens.filter(token => token.type !== 'space' && token.type !== 'def').map(bare);
}

test.each(SAMPLES)('%j: after every prefix the blocks are those of a full parse', sample => {
  for (const size of [1, 2, 7]) {
    let parsed = EMPTY;
    for (let end = size; end < sample.length + size; end += size) {
      const prefix = sample.slice(0, end);
      parsed = advance(parsed, prefix, false);
      expect(shape(parsed)).toEqual(full(prefix.endsWith('\r') ? prefix.slice(0, -1) : prefix, false));
    }
  }
});

test.each([...SAMPLES, ...REFERENCES])('%j: wherever the stream is split, the end is a full parse', sample => {
  for (let split = 0; split <= sample.length; split++) {
    const first = advance(EMPTY, sample.slice(0, split), false);
    expect(shape(advance(advance(first, sample, false), sample, true))).toEqual(full(sample));
  }
});

test.each([...SAMPLES, ...REFERENCES])('%j: byte by byte, the end is a full parse', sample => {
  let parsed = EMPTY;
  for (let end = 1; end <= sample.length; end++) {
    parsed = advance(parsed, sample.slice(0, end), false);
  }
  expect(shape(advance(parsed, sample, true))).toEqual(full(sample));
});

test('all samples one after the other stream to a full parse', () => {
  const text = [...SAMPLES.filter(sample => !/unclosed|never closed/.test(sample)), ...REFERENCES].join('\n\n');
  let parsed = EMPTY;
  for (let end = 0; end < text.length; end += 11) {
    parsed = advance(parsed, text.slice(0, end), false);
  }
  expect(shape(advance(parsed, text, true))).toEqual(full(text));
});

test('a committed block keeps its identity to the end', () => {
  const text = 'First paragraph.\n\nSecond one.\n\n- a\n- b\n\nFourth.\n\nFifth.';
  let parsed = EMPTY;
  const first = new Map<number, unknown>();
  for (let end = 1; end <= text.length; end++) {
    parsed = advance(parsed, text.slice(0, end), false);
    parsed.committed.forEach((block, index) => {
      expect(block).toBe(first.get(index) ?? block);
      first.set(index, block);
    });
  }
  const whole = advance(parsed, text, true);
  expect(first.size).toBe(3);
  first.forEach((block, index) => {
    expect(whole.committed[index]).toBe(block);
  });
});

test('only the tail is lexed: what is covered grows with the text', () => {
  const text = 'A paragraph of some length.\n\n'.repeat(200);
  expect(text.length - advance(advance(EMPTY, text, false), `${text}x`, false).covered).toBeLessThan(100);
});

test('another text starts anew', () => {
  expect(shape(advance(advance(EMPTY, 'one\n\ntwo', false), 'other', false))).toEqual(full('other'));
});

test.each([
  ['quotes', '>'.repeat(20_000)],
  ['lists', Array.from({ length: 200 }, (_, depth) => `${'  '.repeat(depth)}- a`).join('\n')],
  ['brackets', '['.repeat(50_000)],
  ['emphasis', '*a **b '.repeat(7_000)],
  ['underscores', 'a_'.repeat(25_000)],
  ['backticks', '`'.repeat(50_000)],
  ['links', '[a]('.repeat(12_000)],
  ['angles', '<a '.repeat(16_000)],
  ['pipes', '|'.repeat(50_000)],
  ['dollars', '$'.repeat(50_000)],
  ['amounts', '$a '.repeat(16_000)],
  ['pairs of dollars', '$$a '.repeat(12_000)],
  ['formulas', '$a$ '.repeat(12_000)],
  ['brackets of formulas', '\\[\\('.repeat(12_000)],
  ['lines of dollars', 'a\n$$\nb\n'.repeat(7_000)],
  ['environments', '\\begin{align}\n'.repeat(3_500)],
  ['paragraphs before dollars', `${'a\n'.repeat(20_000)}$$\n`]
])('50 kB of nothing but %s are read, with every character kept', (_, text) => {
  const parsed = advance(advance(EMPTY, text, false), text, true);
  expect(parsed.committed.length).toBeGreaterThan(0);
});

/** What kinds of blocks stand there after each character. */
function kinds(text: string): Set<string> {
  const seen = new Set<string>();
  let parsed = EMPTY;
  for (let length = 1; length <= text.length; length++) {
    parsed = advance(parsed, text.slice(0, length), false);
    [...parsed.committed, ...parsed.tail].forEach(block => seen.add(block.token.type));
  }
  return seen;
}

test('a table that streams is never seen as raw text first', () => {
  expect(kinds('| a | b |\n| --- | :-: |\n| 1 | 2 |\n')).toEqual(new Set(['table']));
  expect(kinds('# Title\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n')).toEqual(new Set(['heading', 'table']));
});

test('a line that turns out not to begin a table is shown with the next one, or in the end', () => {
  const line = '|x| is its absolute value';
  expect(advance(EMPTY, line, false).tail).toEqual([]);
  expect(shape(advance(EMPTY, `${line}\nso`, false))).toMatchObject([{ type: 'paragraph', text: `${line}\nso` }]);
  expect(shape(advance(EMPTY, line, true))).toMatchObject([{ type: 'paragraph', text: line }]);
});
