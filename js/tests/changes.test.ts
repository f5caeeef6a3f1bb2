import { Signal } from '@lumino/signaling';
import { expect, test } from 'vitest';
import type { Context } from '../src/lab/changes';
import { Changes } from '../src/lab/changes';

class Cell {
  readonly contentChanged = new Signal<this, undefined>(this);
  readonly outputs = { changed: new Signal<this, undefined>(this) };
  #print: (events: { path: string[] }[]) => void = () => undefined;
  readonly sharedModel = {
    ymodel: {
      observeDeep: (listener: (events: { path: string[] }[]) => void): void => {
        this.#print = listener;
      }
    }
  };

  constructor(
    readonly id: string,
    readonly type = 'code'
  ) {}

  edit(): void {
    this.contentChanged.emit(undefined);
  }

  /** A line behind others, of which no signal tells. */
  print(): void {
    this.#print([{ path: ['outputs'] }]);
  }

  run(): void {
    this.outputs.changed.emit(undefined);
    this.contentChanged.emit(undefined);
  }
}

/** What `Changes` listens to of a notebook, with JupyterLab's own signals. */
class Notebook {
  readonly disposed = new Signal<this, undefined>(this);
  readonly isDisposed = false;
  readonly cells: Cell[];
  readonly cellsChanged = new Signal<this, { newValues: Cell[] }>(this);
  readonly stateChanged = new Signal<this, { name: string; newValue: unknown }>(this);
  readonly saveState = new Signal<this, string>(this);
  metadata: Record<string, unknown> = {};
  dirty = false;

  constructor(
    readonly nbformatMinor: number,
    readonly isReady: boolean,
    ...ids: string[]
  ) {
    this.cells = ids.map(id => new Cell(id));
  }

  get context(): Context {
    const cells = Object.assign(this.cells, { changed: this.cellsChanged });
    const model = Object.assign(this, { cells, nbformat: 4, sharedModel: this });
    return Object.assign(this, { model, ready: Promise.resolve() }) as unknown as Context;
  }

  cell(index: number): Cell {
    const cell = this.cells[index];
    if (!cell) {
      throw new Error(`no cell ${index}`);
    }
    return cell;
  }

  clean(): void {
    this.dirty = false;
    this.stateChanged.emit({ name: 'dirty', newValue: false });
  }
}

async function watched(notebook: Notebook): Promise<Changes> {
  const changes = new Changes(notebook.context);
  await Promise.resolve();
  return changes;
}

const differing = (changes: Changes, notebook: Notebook): string[] =>
  notebook.cells.map(cell => cell.id).filter(id => changes.differs(id));

test('only what changed differs, and outputs only when they did', async () => {
  const notebook = new Notebook(5, false, 'a', 'b', 'c');
  const changes = await watched(notebook);
  expect(differing(changes, notebook)).toEqual([]);
  notebook.cell(0).edit();
  notebook.cell(1).run();
  expect(differing(changes, notebook)).toEqual(['a', 'b']);
  expect([changes.outputsDiffer('a'), changes.outputsDiffer('b'), changes.reordered]).toEqual([false, true, false]);
});

test('a save makes all the same again, except what changed while it was under way', async () => {
  const notebook = new Notebook(5, false, 'a', 'b');
  const changes = await watched(notebook);
  notebook.cell(0).edit();
  notebook.saveState.emit('started');
  expect(differing(changes, notebook)).toEqual(['a']);
  notebook.cell(1).edit();
  notebook.clean();
  notebook.saveState.emit('completed');
  expect(differing(changes, notebook)).toEqual(['b']);
});

test('what is printed on after a save differs again', async () => {
  const notebook = new Notebook(5, false, 'a', 'b');
  const changes = await watched(notebook);
  notebook.cell(0).run();
  notebook.saveState.emit('started');
  notebook.saveState.emit('completed');
  notebook.cell(0).print();
  expect([changes.outputsDiffer('a'), changes.outputsDiffer('b')]).toEqual([true, false]);
});

test('a failed save forgets nothing', async () => {
  const notebook = new Notebook(5, false, 'a', 'b');
  const changes = await watched(notebook);
  notebook.cell(0).run();
  notebook.saveState.emit('started');
  notebook.cell(1).edit();
  notebook.saveState.emit('failed');
  expect(differing(changes, notebook)).toEqual(['a', 'b']);
  expect(changes.outputsDiffer('a')).toBe(true);
});

test('a revert makes all the same again', async () => {
  const notebook = new Notebook(5, false, 'a');
  const changes = await watched(notebook);
  notebook.cell(0).edit();
  notebook.clean();
  expect(differing(changes, notebook)).toEqual([]);
});

test('a new cell differs and is watched', async () => {
  const notebook = new Notebook(5, false, 'a');
  const changes = await watched(notebook);
  notebook.cells.push(new Cell('new', 'markdown'));
  notebook.cellsChanged.emit({ newValues: [notebook.cell(1)] });
  expect([changes.reordered, changes.differs('new')]).toEqual([true, true]);
  notebook.saveState.emit('started');
  notebook.saveState.emit('completed');
  expect([changes.reordered, changes.differs('new')]).toEqual([false, false]);
  notebook.cell(1).edit();
  expect(changes.differs('new')).toBe(true);
});

test('a notebook met open and dirty differs whole; one seen loading does not, though its metadata made it dirty', async () => {
  const [met, loaded] = [new Notebook(5, true, 'a', 'b'), new Notebook(5, false, 'a', 'b')];
  met.dirty = loaded.dirty = true;
  const [one, other] = [await watched(met), await watched(loaded)];
  expect([differing(one, met), one.reordered]).toEqual([['a', 'b'], true]);
  expect([differing(other, loaded), other.reordered]).toEqual([[], false]);
});

test('cells of a file without ids are known by their places in the file', async () => {
  const notebook = new Notebook(4, false, 'x', 'y');
  const changes = await watched(notebook);
  expect([changes.handle('x'), changes.handle('y'), changes.handle('new')]).toEqual(['#0', '#1', 'new']);
  expect([changes.local('#1'), changes.local('y')]).toEqual(['y', 'y']);
});

test('only what a user would miss counts: not what a kernel writes into the metadata', async () => {
  const notebook = new Notebook(5, false, 'a');
  notebook.metadata = { title: 'Sales' };
  const changes = await watched(notebook);
  notebook.dirty = true;
  notebook.metadata = { title: 'Sales', language_info: { name: 'python' }, kernelspec: { name: 'python3' } };
  expect(changes.any).toBe(false);
  notebook.metadata = { ...notebook.metadata, title: 'Rentals' };
  expect(changes.any).toBe(true);
  notebook.clean();
  expect(changes.any).toBe(false);
  notebook.dirty = true;
  notebook.cell(0).edit();
  expect(changes.any).toBe(true);
});
