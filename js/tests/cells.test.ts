import { expect, test } from 'vitest';
import type { CellPlace, CellUse } from '../src/chat/host';
import { Screen } from './screen';
import { Place, Script } from './script';

class Cells implements CellPlace {
  readonly done: [CellUse, string, string][] = [];
  readonly obstacles: Partial<Record<CellUse, string>> = {};

  obstacle(use: CellUse): string {
    return this.obstacles[use] ?? '';
  }

  put(use: CellUse, code: string, language: string): Promise<string> {
    this.done.push([use, code, language]);
    return Promise.resolve('');
  }
}

class Notebook extends Place {
  readonly cells = new Cells();
}

const USES = ['Insert below', 'Replace cell', 'Insert and run'];

function uses(screen: Screen): string[] {
  return screen.all('.jp-Assistant-codeActions button').map(button => button.getAttribute('aria-label') ?? '');
}

async function answered(place: Place, text: string, ended = true): Promise<Screen> {
  const screen = new Screen(new Script(), place);
  await screen.ask('code please');
  screen.stream.run().token(text);
  if (ended) {
    screen.stream.done();
    await screen.until(() => screen.all('article[aria-busy=false]').length > 0);
  }
  await screen.until(() => screen.all('.jp-Assistant-code').length > 0);
  return screen;
}

test('each button does its own with the code and its language', async () => {
  const place = new Notebook();
  const screen = await answered(place, '```Python\nx = 1\n```');
  expect(uses(screen)).toEqual([...USES, 'Copy']);
  for (const label of USES) {
    screen.button(label).click();
  }
  expect(place.cells.done).toEqual([
    ['insert', 'x = 1', 'python'],
    ['replace', 'x = 1', 'python'],
    ['run', 'x = 1', 'python']
  ]);
  await screen.until(() => uses(screen).filter(label => label === 'Done').length === 3);
});

test('a host without a notebook has the copy button alone', async () => {
  expect(uses(await answered(new Place(), '```py\nx\n```'))).toEqual(['Copy']);
});

test('code goes into a notebook only once its fence is closed', async () => {
  const screen = await answered(new Notebook(), '```py\nx = 1\n', false);
  expect(uses(screen)).toEqual(['Copy']);
  screen.stream.token('```\n');
  await screen.until(() => uses(screen).length === 4);
});

test('an answer that was cut inside of a block offers only a copy of it', async () => {
  const screen = await answered(new Notebook(), '```py\nx = 1\ny = ');
  expect(uses(screen)).toEqual(['Copy']);
  expect(screen.panel.lastCode()).toBeNull();
});

test('what cannot be done keeps its place and says why', async () => {
  const place = new Notebook();
  place.cells.obstacles.replace = 'Cell 3 is locked';
  const screen = await answered(place, '```py\nx\n```');
  const replace = screen.button('Replace cell');
  expect(replace.getAttribute('aria-disabled')).toBe('true');
  expect(replace.title).toContain('Cell 3 is locked');
  replace.click();
  expect(place.cells.done).toEqual([]);
});

test('the newest whole block of the conversation is the last code', async () => {
  const screen = await answered(new Notebook(), '```py\nx\n```\n\n~~~sql\ny\n~~~');
  expect(screen.panel.lastCode()).toEqual({ text: 'y', language: 'sql' });
});

test('a question from the notebook is sent, or waits in the composer while an answer is made', async () => {
  const screen = new Screen();
  await screen.panel.ask('Fix the error in cell 3.');
  expect(screen.script.asked.map(({ question }) => question.question)).toEqual(['Fix the error in cell 3.']);
  await screen.panel.ask('Explain the error in cell 4.');
  await screen.until(() => screen.composer.value === 'Explain the error in cell 4.');
  expect(screen.script.asked).toHaveLength(1);
});

test('a question from the notebook waits for the conversation it goes into', async () => {
  const place = new Place();
  place.remembered = 'c1';
  const script = new Script();
  script.store('c1', []);
  const screen = new Screen(script, place);
  await screen.panel.ask('Fix the error in cell 3.');
  expect(script.asked[0]?.question).toMatchObject({ conversation_id: 'c1', question: 'Fix the error in cell 3.' });
});

test('a lead is written before what was typed', async () => {
  const screen = new Screen();
  screen.type('why?');
  screen.panel.lead('About cell 3: ');
  await screen.until(() => screen.composer.value === 'About cell 3: why?');
});
