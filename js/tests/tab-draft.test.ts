import { expect, test } from 'vitest';
import type { Line, Plan, Step } from '../src/lab/tab/draft';
import { planned } from '../src/lab/tab/draft';
import type { Edit } from '../src/lab/tab/wire';
import { edits, Refusal } from '../src/lab/tab/wire';

const line = (id: string, more: Partial<Line> = {}): Line => ({
  id,
  cell_type: 'code',
  source: `source of ${id}`,
  editable: true,
  deletable: true,
  busy: false,
  ...more
});
const LINES = [line('a'), line('b', { cell_type: 'markdown' }), line('c')];

let count = 0;
const newId = (): string => `new${++count}`;

function plan(wanted: readonly object[], expected: Record<string, string> = {}, lines = LINES): Plan {
  count = 0;
  return planned(lines, edits(wanted), new Map(Object.entries(expected)), newId);
}

/** What the steps make of the cells' ids. */
function order(steps: readonly Step[], lines = LINES): readonly string[] {
  const ids = lines.map(({ id }) => id);
  for (const step of steps) {
    if (step.step === 'insert') {
      ids.splice(step.index, 0, ...step.cells.map(({ id }) => id));
    } else if (step.step === 'delete') {
      ids.splice(step.index, 1);
    } else if (step.step === 'move') {
      ids.splice(step.to, 0, ...ids.splice(step.index, 1));
    }
  }
  return ids;
}

function refusal(wanted: readonly object[], expected: Record<string, string> = {}, lines = LINES): Refusal {
  try {
    plan(wanted, expected, lines);
  } catch (error) {
    if (error instanceof Refusal) {
      return error;
    }
  }
  throw new Error('it was not refused');
}

const insert = {
  edit: 'insert',
  cells: [
    { cell_type: 'code', source: '1' },
    { cell_type: 'raw', source: '2' }
  ]
};

test.each([
  [{ ...insert }, ['a', 'b', 'c', 'new1', 'new2']],
  [{ ...insert, after: 'a' }, ['a', 'new1', 'new2', 'b', 'c']],
  [{ ...insert, before: 'a' }, ['new1', 'new2', 'a', 'b', 'c']],
  [{ edit: 'move', cell_id: 'a' }, ['b', 'c', 'a']],
  [{ edit: 'move', cell_id: 'a', after: 'b' }, ['b', 'a', 'c']],
  [{ edit: 'move', cell_id: 'c', before: 'a' }, ['c', 'a', 'b']],
  [{ edit: 'move', cell_id: 'b', after: 'a' }, ['a', 'b', 'c']],
  [{ edit: 'delete', cell_ids: ['a', 'c', 'a'] }, ['b']]
])('%j', (edit, expected) => {
  expect(order(plan([edit]).steps)).toEqual(expected);
});

test('edits are made one after the other, on what those before them have made', () => {
  const { steps, inserted, cells } = plan([
    { edit: 'delete', cell_ids: ['b'] },
    { edit: 'insert', cells: [{ cell_type: 'markdown', source: 'x' }], after: 'a' },
    { edit: 'replace', cell_id: 'c', source: 'z' },
    { edit: 'move', cell_id: 'c', before: 'a' }
  ]);
  expect(order(steps)).toEqual(['c', 'a', 'new1']);
  expect(inserted).toEqual(['new1']);
  expect(cells).toEqual([
    { cell_id: 'b', before: 'source of b', after: null, index: null },
    { cell_id: 'new1', before: null, after: 'x', index: 2 },
    { cell_id: 'c', before: 'source of c', after: 'z', index: 0 }
  ]);
});

test('another type is another cell in the same place, the same type is its text', () => {
  const same = plan([{ edit: 'replace', cell_id: 'b', source: 'z', cell_type: 'markdown' }]).steps;
  const other = plan([{ edit: 'replace', cell_id: 'b', source: 'z', cell_type: 'code' }]).steps;
  expect(same).toEqual([{ step: 'write', index: 1, source: 'z' }]);
  expect(other).toEqual([{ step: 'retype', index: 1, source: 'z', cell_type: 'code' }]);
});

test('a cell that is not as it was expected refuses all, with what it holds', () => {
  const refused = refusal([{ edit: 'delete', cell_ids: ['a'] }], { c: 'older' });
  expect(refused.wire).toMatchObject({ code: 'stale', cell_id: 'c', source: 'source of c' });
});

test.each([
  [{ edit: 'replace', cell_id: 'x', source: '' }, 'cell_not_found'],
  [{ edit: 'insert', cells: [], after: 'x' }, 'cell_not_found'],
  [{ edit: 'insert', cells: [], after: 'a', before: 'b' }, 'refused'],
  [{ edit: 'insert', cells: [{ cell_type: 'cake', source: '' }] }, 'refused'],
  [{ edit: 'move', cell_id: 'a', after: 'a' }, 'refused'],
  [{ edit: 'set_outputs', cell_id: 'a' }, 'refused']
])('%j is refused', (edit, code) => {
  expect(refusal([edit]).code).toBe(code);
});

test('locked cells are left as they are', () => {
  const lines = [line('a', { editable: false, deletable: false })];
  expect(refusal([{ edit: 'replace', cell_id: 'a', source: '' }], {}, lines).message).toContain('editable: false');
  expect(refusal([{ edit: 'delete', cell_ids: ['a'] }], {}, lines).message).toContain('deletable: false');
});

test('a running cell keeps its place, its type and its outputs, but its text may change', () => {
  const lines = [line('a', { busy: true }), line('b')];
  const edit = (wanted: object): Edit | undefined => edits([wanted])[0];
  for (const wanted of [
    { edit: 'move', cell_id: 'a' },
    { edit: 'delete', cell_ids: ['a'] },
    { edit: 'replace', cell_id: 'a', source: '', cell_type: 'raw' },
    { edit: 'clear_outputs', cell_ids: ['a'] }
  ]) {
    expect([edit(wanted)?.edit, refusal([wanted], {}, lines).code]).toEqual([wanted.edit, 'refused']);
  }
  expect(plan([{ edit: 'replace', cell_id: 'a', source: '2' }], {}, lines).steps).toHaveLength(1);
  expect(plan([{ edit: 'clear_outputs', cell_ids: null }], {}, lines).steps).toEqual([{ step: 'clear', index: 1 }]);
});

test('a new id is one that no cell had', () => {
  const ids = ['a', 'c', 'fresh'];
  const { inserted } = planned(
    LINES,
    edits([{ ...insert, cells: [{ cell_type: 'code', source: '' }] }]),
    new Map(),
    () => String(ids.shift())
  );
  expect(inserted).toEqual(['fresh']);
});

test('a code cell is given outputs, by its id', () => {
  const outputs = [{ output_type: 'stream', name: 'stdout', text: '1' }];
  const { steps, cells } = plan([{ edit: 'set_outputs', cell_id: 'c', outputs, execution_count: 3 }]);
  expect(steps).toEqual([{ step: 'give', index: 2, execution: { outputs, execution_count: 3 } }]);
  expect(cells).toEqual([{ cell_id: 'c', before: 'source of c', after: 'source of c', index: 2 }]);
});

test('a cell that runs in the tab, or holds no code, is given none', () => {
  const give = { edit: 'set_outputs', outputs: [], execution_count: null };
  expect(refusal([{ ...give, cell_id: 'b' }]).message).toContain('only code cells');
  expect(refusal([{ ...give, cell_id: 'a' }], {}, [line('a', { busy: true })]).message).toContain('is running');
});
