import { expect, test } from 'vitest';
import { about, narrowed, parts } from '../src/chat/subject';
import { Place } from './script';
import { Screen } from './screen';

const FOCUS = { path: 'a.ipynb', cell_id: 'c', selection: 'x', unsaved: [], order: ['c'] };
const SUBJECT = { name: 'a.ipynb', cell: 3, selected: 1 };

test('what is left out does not go, what is not saved goes with the notebook', () => {
  expect(narrowed(FOCUS, [])).toEqual(FOCUS);
  expect(narrowed(FOCUS, ['cell'])).toEqual({ path: 'a.ipynb', selection: 'x', unsaved: [], order: ['c'] });
  expect(narrowed(FOCUS, ['selection'])).toEqual({ path: 'a.ipynb', cell_id: 'c', unsaved: [], order: ['c'] });
  expect(narrowed(FOCUS, ['notebook'])).toBeNull();
  expect(narrowed(null, [])).toBeNull();
});

test('a part that is not there does not come by being let in', () => {
  expect(Object.keys(narrowed({ path: 'a.ipynb' }, []) ?? {})).toEqual(['path']);
});

test('the eye is told the same', () => {
  expect(about(SUBJECT, [])).toEqual(SUBJECT);
  expect(about(SUBJECT, ['cell', 'selection'])).toEqual({ name: 'a.ipynb', cell: 0, selected: 0 });
  expect(about(SUBJECT, ['notebook', 'cell'])).toBeNull();
});

test('what was kept over a reload is read with care', () => {
  expect(parts(['cell', 'what', 3])).toEqual(['cell']);
  expect(parts('cell')).toEqual([]);
  expect(parts(undefined)).toEqual([]);
});

function place(): Place {
  const made = new Place();
  made.about = SUBJECT;
  return made;
}

const pressed = (screen: Screen): (string | null)[] =>
  screen.all('.jp-Assistant-part').map(chip => `${chip.textContent} ${chip.getAttribute('aria-pressed')}`);

test('a chip is pressed until it is clicked, and the choice is kept for this window', async () => {
  const screen = new Screen(undefined, place());
  expect(pressed(screen)).toEqual(['a.ipynb true', 'Cell 3 true', '1 selected true']);
  screen.button('Cell 3').click();
  await screen.until(() => pressed(screen)[1] === 'Cell 3 false');
  expect(screen.place.left).toEqual(['cell']);
  screen.button('Notebook a.ipynb').click();
  await screen.until(() => pressed(screen).length === 1);
  await screen.ask('Why?');
  expect(screen.script.asked[0]?.question).not.toHaveProperty('notebook');
  screen.button('Notebook a.ipynb').click();
  await screen.until(() => pressed(screen)[1] === 'Cell 3 false');
});

test('what a window left out is still left out after a reload', async () => {
  const before = place();
  before.left = ['notebook'];
  const screen = new Screen(undefined, before);
  await screen.until(() => pressed(screen)[0] === 'a.ipynb false');
  await screen.shows('The notebook is left out');
});

test('a question that begins at a cell takes it along', async () => {
  const before = place();
  before.left = ['notebook', 'cell', 'selection'];
  const screen = new Screen(undefined, before);
  await screen.panel.ask('Fix the error in cell 3.');
  expect(screen.script.asked[0]?.question.notebook).toEqual({ path: 'a.ipynb', cell_id: 'c3' });
  expect(screen.place.left).toEqual(['selection']);
});
