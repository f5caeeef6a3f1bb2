import { expect, test } from 'vitest';
import { ENGLISH } from '../src/chat/host';
import { aloud, hear, UNHEARD } from '../src/chat/view/speech';
import { Screen } from './screen';

const ANSWER = `## Why

The column is **renamed**. See [the docs](https://x.example "title") &amp; \`df\`! Is it, e.g.
over?

\`\`\`python
a = 1
b = 2
\`\`\`

- one
- two

| a | b |
|---|---|
| 1 | 2 |

Half a sentence`;

const WHOLE = [
  'Why',
  'The column is renamed. See the docs & df! Is it, e.g.\nover?',
  'Code block, python, 2 lines.',
  'one\ntwo',
  'a, b\n1, 2',
  'Half a sentence'
].join('\n');

/** Everything that is said of a text that comes in pieces of `size` characters. */
function said(text: string, size: number): string[] {
  let heard = UNHEARD;
  const parts: string[] = [];
  for (let end = size; end < text.length + size; end += size) {
    const next = hear(heard, text.slice(0, end), end >= text.length, ENGLISH);
    heard = next.heard;
    parts.push(next.said);
  }
  return parts.filter(Boolean);
}

test('an answer is said in plain words, and of code that it is there', () => {
  expect(aloud(ANSWER, ENGLISH)).toBe(WHOLE);
});

test.each([1, 3, 7, 40, 1000])(
  'sentences that come in pieces of %i are each said once, and never half of one',
  size => {
    const parts = said(ANSWER, size);
    expect(parts.join(' ').replace(/\s+/g, ' ')).toBe(WHOLE.replace(/\s+/g, ' '));
    expect(parts.slice(0, -1).filter(part => /\b(The|column is|Half)$/.test(part))).toEqual([]);
  }
);

function status(screen: Screen): string {
  return screen.find('[role=status]').textContent;
}

async function answered(screen: Screen, text: string): Promise<void> {
  await screen.ask('x');
  await screen.until(() => status(screen) === 'Generating…');
  screen.stream.run().token(text).done();
}

test('in the end it is said how long the answer is', async () => {
  const screen = new Screen();
  await answered(screen, 'See this:\n\n```python\n1 + 1\n```\n');
  await screen.until(() => status(screen) === 'Answer ready, 7 words, 1 code block');
});

test('who wants it hears the whole answer in the end', async () => {
  const screen = new Screen();
  screen.place.announced = 'full';
  await answered(screen, 'One **two**. Three');
  await screen.until(() => status(screen) === 'One two. Three\nAnswer ready, 3 words');
});

test('who wants it hears the sentences as they come, and the rest in the end', async () => {
  const screen = new Screen();
  screen.place.announced = 'sentences';
  await screen.ask('x');
  await screen.until(() => status(screen) === 'Generating…');
  screen.stream.run().token('First. Se');
  await screen.until(() => status(screen) === 'First.');
  screen.stream.token('cond. Third').done();
  await screen.until(() => status(screen) === 'Second. Third\nAnswer ready, 3 words');
});

test('a lost connection is said at once and its return politely', async () => {
  const screen = new Screen();
  await screen.ask('x');
  screen.stream.run().token('half').lose();
  const alert = screen.find('[role=alert]');
  await screen.until(() => alert.textContent === 'The connection is lost. Reconnecting…');
  await screen.until(() => screen.script.resumed.length === 1);
  screen.script.resumed[0]?.stream.token(' whole');
  await screen.until(() => status(screen) === 'Connected again. Generating…');
  expect(alert.textContent).toBe('');
});
