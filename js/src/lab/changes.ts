/**
 * What of an open notebook differs from its file, told from what changed since the last load or save.
 *
 * The law: a change made while a save is under way belongs to the next save, and a failed save forgets nothing.
 * A notebook that we saw being loaded is what its file is; one that was open and dirty already when we met it counts
 * as changed whole.
 */

import type { ICellModel, ICodeCellModel } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { Signal } from '@lumino/signaling';
import { watchOutputs } from './watch';

export type Context = NotebookPanel['context'];

interface Difference {
  readonly sources: Set<string>;
  readonly outputs: Set<string>;
  order: boolean;
}

const none = (): Difference => ({ sources: new Set(), outputs: new Set(), order: false });

function merge(into: Difference, from: Difference): void {
  from.sources.forEach(id => into.sources.add(id));
  from.outputs.forEach(id => into.outputs.add(id));
  into.order ||= from.order;
}

export function isCode(cell: ICellModel): cell is ICodeCellModel {
  return cell.type === 'code';
}

/** What a kernel writes into a notebook's metadata when it starts; nobody misses it. */
const KERNELS = ['kernelspec', 'language_info'];

export class Changes {
  readonly #context: Context;
  readonly #watched = new WeakSet<ICellModel>();
  #since = none();
  /** What differed when the save that is under way began. */
  #saving: Difference | null = null;
  /** The cells of the file, by the ids they have here: where the file has no ids, their places stand for them. */
  #handles = new Map<string, string>();
  /** The notebook's metadata in the file, but for what a kernel writes. */
  #metadata = '';

  /** Begins once the notebook is loaded; ends with it. */
  constructor(context: Context) {
    this.#context = context;
    context.disposed.connect(() => {
      Signal.clearData(this);
    });
    // A notebook is dirty right after loading, without any cell changed: the kernel writes into its metadata.
    const sawLoading = !context.isReady;
    void context.ready.then(() => {
      if (!context.isDisposed) {
        this.#begin(sawLoading);
      }
    });
  }

  /** Whether the file lacks anything that the user would miss. */
  get any(): boolean {
    const { sources, outputs, order } = this.#since;
    const here = sources.size > 0 || outputs.size > 0 || order || this.#described() !== this.#metadata;
    return this.#context.model.dirty && (here || this.#saving !== null);
  }

  /** Whether the file has the cells in another order, or other cells. */
  get reordered(): boolean {
    return this.#since.order || (this.#saving?.order ?? false);
  }

  differs(id: string): boolean {
    return this.#since.sources.has(id) || (this.#saving?.sources.has(id) ?? false);
  }

  outputsDiffer(id: string): boolean {
    return this.#since.outputs.has(id) || (this.#saving?.outputs.has(id) ?? false);
  }

  /** The id the server knows a cell by. */
  handle(id: string): string {
    return this.#handles.get(id) ?? id;
  }

  /** The id a cell has here, from the one the server knows it by. */
  local(handle: string): string {
    return [...this.#handles].find(([, each]) => each === handle)?.[0] ?? handle;
  }

  #cells(): readonly ICellModel[] {
    return Array.from(this.#context.model.cells);
  }

  #described(): string {
    const entries = Object.entries(this.#context.model.sharedModel.metadata);
    return JSON.stringify(entries.filter(([key]) => !KERNELS.includes(key)));
  }

  #begin(sawLoading: boolean): void {
    const { model, saveState } = this.#context;
    this.#learn();
    if (model.dirty && !sawLoading) {
      this.#all();
    }
    this.#cells().forEach(cell => {
      this.#watch(cell);
    });
    model.cells.changed.connect(this.#onCells, this);
    model.stateChanged.connect(this.#onState, this);
    saveState.connect(this.#onSave, this);
  }

  #all(): void {
    this.#since.order = true;
    for (const cell of this.#cells()) {
      this.#since.sources.add(cell.id);
      this.#since.outputs.add(cell.id);
    }
  }

  #watch(cell: ICellModel): void {
    if (this.#watched.has(cell)) {
      return;
    }
    this.#watched.add(cell);
    cell.contentChanged.connect(() => {
      this.#since.sources.add(cell.id);
    }, this);
    if (isCode(cell)) {
      const differ = (): void => {
        this.#since.outputs.add(cell.id);
      };
      cell.outputs.changed.connect(differ, this);
      watchOutputs(cell, differ);
    }
  }

  #onCells(_: unknown, change: { readonly newValues: readonly ICellModel[] }): void {
    this.#since.order = true;
    for (const cell of change.newValues) {
      this.#since.sources.add(cell.id);
      this.#since.outputs.add(cell.id);
      this.#watch(cell);
    }
  }

  /** Clean outside of a save: reverted, or saved by the server under real-time collaboration. */
  #onState(_: unknown, change: { readonly name: string; readonly newValue: unknown }): void {
    if (change.name === 'dirty' && change.newValue === false && !this.#saving) {
      this.#since = none();
      this.#learn();
    }
  }

  #onSave(_: unknown, state: string): void {
    if (state === 'started') {
      this.#saving = this.#since;
      this.#since = none();
    } else if (this.#saving) {
      if (state === 'failed') {
        merge(this.#since, this.#saving);
      } else {
        this.#learn();
      }
      this.#saving = null;
    }
  }

  /** What the file holds now. */
  #learn(): void {
    const { model } = this.#context;
    this.#metadata = this.#described();
    const withoutIds = model.nbformat === 4 && model.nbformatMinor < 5;
    this.#handles = new Map(withoutIds ? this.#cells().map((cell, index) => [cell.id, `#${index}`]) : []);
  }
}
