import type { Token } from 'marked';
import { expect, test } from 'vitest';
import { advance, EMPTY } from '../src/chat/markdown/blocks';
import type { MathToken } from '../src/chat/markdown/math';
import { typesettable } from '../src/chat/markdown/math';
import { Place } from './script';
import { Screen } from './screen';

/** The formulas in a text, display ones between double dollars. */
function formulas(text: string): string[] {
  const found: string[] = [];
  const look = (tokens: readonly Token[]): void => {
    for (const generic of tokens) {
      const token = generic as Token | MathToken;
      if (token.type === 'math') {
        const { tex, display } = token as MathToken;
        found.push(display ? `$$${tex}$$` : tex);
        continue;
      }
      look(inside(token));
    }
  };
  look(advance(EMPTY, text, true).committed.map(block => block.token));
  return found;
}

function inside(token: object): readonly Token[] {
  const { tokens, items, header, rows } = token as Record<string, readonly Token[] | undefined>;
  return [tokens, items, header, rows?.flat()].flatMap(each => each ?? []);
}

test.each([
  ['Let $x$ be', ['x']],
  ['$a_1$ and $b_2$ and \\(c^*\\), *em $d*e$ em*', ['a_1', 'b_2', 'c^*', 'd*e']],
  ['$$e = mc^2$$', ['$$e = mc^2$$']],
  ['so $$e$$ there', ['$$e$$']],
  ['Sum:\n$$\na\n+ b\n- c\n= d\n$$\nend', ['$$a\n+ b\n- c\n= d$$']],
  ['\\[\n\\frac{1}{2}\n\\]', ['$$\\frac{1}{2}$$']],
  ['\\begin{align*}\na &= b \\\\\n+ c\n\\end{align*}', ['$$\\begin{align*}\na &= b \\\\\n+ c\n\\end{align*}$$']],
  ['- item $i$\n\n  $$\n  j\n  $$\n', ['i', '$$j$$']],
  ['> $q$', ['q']],
  ['| $a$ |\n|---|\n| $b$ |\n', ['a', 'b']],
  ['the $n$th and $k$-means, $x^2$y', ['n', 'k', 'x^2']],
  ['$\\text{costs \\$5}$', ['\\text{costs \\$5}']],
  ['($x$), "$y$": $z$.', ['x', 'y', 'z']],
  ['$5 + 3$ is $8$', ['5 + 3', '8']]
])('%j has the formulas %j', (text, expected) => {
  expect(formulas(text)).toEqual(expected);
});

test.each([
  'costs $5 and $10',
  'between $5-$10 or $5/$10',
  'from US$5 to US$6',
  '$5 million and 3$',
  '$10 (CA$)',
  '5$ or 10$',
  '$HOME/$PATH and $USER',
  'echo $AB$CD',
  '\\$x\\$ is escaped',
  '`$x$` and ``\\(y\\)``',
  '```sh\necho $x$ \\[y\\]\n```',
  '    $x$\n',
  '$ x $ and $$ and $$$',
  '$a\n\nb$ and $$a\n\nb$$',
  '\\(see above\\) and \\[optional words\\]',
  '$x `code` y$'
])('%j has no formula', text => {
  expect(formulas(text)).toEqual([]);
});

test.each([
  '\\href{javascript:alert(1)}{x}',
  '\\url{https://evil.example}',
  '\\style{position:fixed}{x}',
  '\\class{jp-Dialog}{x}',
  '\\cssId{jupyter-config-data}{x}',
  '\\require{html}',
  '\\includegraphics{https://evil.example/a.png}',
  '\\unicode[url(https://evil.example)]{65}',
  '\\mmlToken{mi}[href="javascript:alert(1)"]{x}',
  '\\bbox[url(https://evil.example)]{x}',
  '\\def\\x{\\x\\x}\\x',
  '\\gdef\\frac{x}',
  '\\newcommand{\\alpha}{x}',
  '\\let\\alpha\\beta',
  '\\DeclareMathOperator{\\sin}{x}',
  '\\texttip{x}{y}',
  '\\toggle{x}{y}\\endtoggle',
  '\\eqref{x}',
  '{'.repeat(60),
  'x'.repeat(5_000)
])('%j is never set', tex => {
  expect(typesettable(tex)).toBeNull();
});

test('labels and blank lines are left out of what is set, all else is kept', () => {
  expect(typesettable('\\label{eq:1} a\n\nb \\tag{1} \\{ \\frac{1}{2} \\}')).toBe(
    ' a\nb \\tag{1} \\{ \\frac{1}{2} \\}'
  );
});

/** A host that sets formulas by replacing each with what `make` gives. */
function setting(make: (tex: string) => string): { place: Place; calls: string[][] } {
  const calls: string[][] = [];
  const typeset = (bench: HTMLElement): Promise<void> => {
    const all = Array.from(bench.children);
    calls.push(all.map(each => each.textContent));
    all.forEach(each => {
      each.innerHTML = make(each.textContent);
    });
    return Promise.resolve();
  };
  return { place: Object.assign(new Place(), { typeset }), calls };
}

const container = (tex: string): string => `<mjx-container class="MathJax">${tex}</mjx-container>`;

test('a formula is set once its block can change no more, many at once, and never twice', async () => {
  const { place, calls } = setting(container);
  const screen = new Screen(undefined, place);
  await screen.ask('x');
  screen.stream.run().token('First $a$ and $b$.\n\nSecond $c$.');
  await screen.shows('Second $c$.');
  expect(calls).toEqual([]);
  screen.stream.token('\n\nThird $d$.\n\nFourth');
  await screen.until(() => screen.all('mjx-container').length === 3);
  screen.stream.token(' and last.').done();
  await screen.until(() => screen.all('mjx-container').length === 4);
  expect(calls.flat()).toEqual(['\\(a\\)', '\\(b\\)', '\\(c\\)', '\\(d\\)']);
  expect(calls[0]).toEqual(['\\(a\\)', '\\(b\\)', '\\(c\\)']);
  expect(screen.all('.jp-Assistant-tex, .jp-Assistant-bench')).toEqual([]);
});

test('a host that sets no formulas leaves their source to be read', async () => {
  const screen = new Screen();
  await screen.ask('x');
  screen.stream.run().token('So $a^2$:\n\n$$\nb\n$$\n\n```math\nc\n```\n').done();
  await screen.shows('test/model');
  expect(screen.all('.jp-Assistant-tex').map(each => each.textContent)).toEqual(['$a^2$', '$$\nb\n$$', 'c']);
  expect(screen.all('.jp-Assistant-code')).toEqual([]);
});

test.each([
  ['a link', '<a href="https://evil.example">x</a>'],
  ['a picture', '<img src="https://evil.example/a.png">'],
  ['a handler', '<mjx-mi onclick="alert(1)">x</mjx-mi>'],
  ['an address', '<mjx-mi href="https://evil.example">x</mjx-mi>'],
  ['a class of the page', '<mjx-mi class="jp-Dialog">x</mjx-mi>'],
  ['a place on the page', '<mjx-mi style="position: fixed">x</mjx-mi>'],
  ['a remote style', '<mjx-mi style="background: url(https://evil.example)">x</mjx-mi>'],
  ['an error', '<mjx-merror data-mjx-error="Undefined">x</mjx-merror>']
])('what comes back with %s in it is not shown', async (_, made) => {
  const { place, calls } = setting(tex => (tex.includes('bad') ? container(made) : container(tex)));
  const screen = new Screen(undefined, place);
  await screen.ask('x');
  screen.stream.run().token('$bad$ and $good$').done();
  await screen.until(() => screen.all('mjx-container').length === 1);
  expect(calls).toHaveLength(1);
  expect(screen.all('.jp-Assistant-tex').map(each => each.textContent)).toEqual(['$bad$']);
  expect(screen.find('mjx-container').textContent).toBe('\\(good\\)');
});

test('names of the page are taken from what comes back', async () => {
  const { place } = setting(tex => `<mjx-container id="jupyter-config-data">${tex}</mjx-container>`);
  const screen = new Screen(undefined, place);
  await screen.ask('x');
  screen.stream.run().token('$a$').done();
  await screen.until(() => screen.all('mjx-container').length === 1);
  expect(screen.find('mjx-container').hasAttribute('id')).toBe(false);
});

test('one formula that fails does not cost another', async () => {
  const { place } = setting(tex => {
    if (tex.includes('bad')) {
      throw new Error('cannot');
    }
    return container(tex);
  });
  const screen = new Screen(undefined, place);
  await screen.ask('x');
  screen.stream.run().token('$a$ $bad$ $c$').done();
  await screen.until(() => screen.all('mjx-container').length === 2);
  expect(screen.all('.jp-Assistant-tex').map(each => each.textContent)).toEqual(['$bad$']);
});
