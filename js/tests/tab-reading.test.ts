import type { ICodeCellModel } from '@jupyterlab/cells';
import { NotebookModel } from '@jupyterlab/notebook/lib/model';
import { Signal } from '@lumino/signaling';
import { expect, test, vi } from 'vitest';
import type { Context } from '../src/lab/changes';
import { Reading } from '../src/lab/tab/reading';
import { Refusal } from '../src/lab/tab/wire';

vi.hoisted(() => {
  // JupyterLab asks the page for these when it is loaded; jsdom has none.
  globalThis.DragEvent = class extends MouseEvent {} as typeof DragEvent;
  globalThis.matchMedia = media => Object.assign(new EventTarget(), { media, matches: false }) as MediaQueryList;
});

type Json = Record<string, unknown>;

const code = (id: string, source: string, ...outputs: Json[]): Json => ({
  cell_type: 'code',
  id,
  source,
  metadata: {},
  outputs,
  execution_count: null
});
const printed = (text: string): Json => ({ output_type: 'stream', name: 'stdout', text });

function loaded(...cells: Json[]): { readonly model: NotebookModel; readonly reading: Reading } {
  const model = new NotebookModel();
  model.fromJSON({ cells, metadata: { title: 'Sales' }, nbformat: 4, nbformat_minor: 5 } as never);
  const context = { model, localPath: 'a.ipynb' };
  Object.assign(context, { disposed: new Signal(context) });
  return { model, reading: new Reading(context as unknown as Context, 'w-1') };
}

const clean = (): boolean => false;

function cell(model: NotebookModel, index: number): ICodeCellModel {
  return model.cells.get(index) as ICodeCellModel;
}

test('all is read the first time, then what changed: sources, outputs, order', async () => {
  const { model, reading } = loaded(code('a', 'x', printed('1')), code('b', 'y'), code('c', 'z'));
  const first = await reading.read('', clean);
  expect(first).toMatchObject({ path: 'a.ipynb', nbformat: 4, nbformat_minor: 5, order: ['a', 'b', 'c'] });
  expect(first.metadata['title']).toBe('Sales');
  expect(first.cells.map(({ source }) => source)).toEqual(['x', 'y', 'z']);
  expect(await reading.read(first.revision, clean)).toMatchObject({ revision: first.revision, cells: [] });
  cell(model, 1).sharedModel.setSource('typed');
  const second = await reading.read(first.revision, clean);
  expect(second.cells).toMatchObject([{ id: 'b', source: 'typed' }]);
  cell(model, 0).outputs.add(printed('2') as never);
  const third = await reading.read(second.revision, clean);
  expect(third.cells).toMatchObject([{ id: 'a', outputs: [{ text: '12' }] }]);
  model.sharedModel.deleteCell(1);
  const last = await reading.read(third.revision, clean);
  expect([last.order, last.cells, last.revision === third.revision]).toEqual([['a', 'c'], [], false]);
});

test('a revision that is not of this notebook, or of an earlier life, reads all', async () => {
  const { reading } = loaded(code('a', 'x'));
  for (const known of ['', 'w-2:99', 'nonsense', 'w-1']) {
    expect((await reading.read(known, clean)).cells).toHaveLength(1);
  }
});

test('a notebook that is too large goes without what its largest outputs hold', async () => {
  const large = Array.from({ length: 900 }, (_, number) => ({
    output_type: 'display_data',
    data: { 'text/plain': `${number}`.padEnd(9_000) },
    metadata: {}
  }));
  const { reading } = loaded(code('a', 'x', ...large), code('b', 'y', printed('kept')));
  const { cells } = await reading.read('', clean);
  expect(JSON.stringify(cells).length).toBeLessThan(4_000_000);
  expect(cells).toMatchObject([
    { source: 'x', outputs: { 0: { data: { 'text/plain': '' } } } },
    { outputs: [{ text: 'kept' }] }
  ]);
  expect(reading.outputs(['a'])['a']).toHaveLength(900);
});

test('outputs are asked for by cell, and a cell that is not there is refused', () => {
  const { reading } = loaded(code('a', 'x', printed('1')));
  expect(reading.outputs(['a'])).toMatchObject({ a: [{ text: '1' }] });
  expect(() => reading.outputs(['z'])).toThrow(Refusal);
});
