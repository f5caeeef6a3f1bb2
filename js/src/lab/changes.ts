/**
 * Which cells of an open notebook differ from its file, told from what changed since the last load or save.
 *
 * The law: a change made while a save is under way belongs to the next save, and a failed save forgets nothing.
 * A notebook that we saw being loaded is what its file is; one that was open and dirty already when we met it counts
 * as changed whole.
 */

import type { ICellModel, ICodeCellModel } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { Signal } from '@lumino/signaling';

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

export class Changes {
  readonly #panel: NotebookPanel;
  readonly #watched = new WeakSet<ICellModel>();
  #since = none();
  /** What differed when the save that is under way began. */
  #saving: Difference | null = null;
  /** The cells of the file, by the ids they have here: where the file has no ids, their places stand for them. */
  #handles = new Map<string, string>();

  /** Begins once the notebook is loaded; ends with the panel. */
  constructor(panel: NotebookPanel) {
    this.#panel = panel;
    panel.disposed.connect(() => {
      Signal.clearData(this);
    });
    // A notebook is dirty right after loading, without any cell changed: the kernel writes into its metadata.
    const sawLoading = !panel.context.isReady;
    void panel.context.ready.then(() => {
      if (!panel.isDisposed) {
        this.#begin(sawLoading);
      }
    });
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
    return Array.from(this.#panel.content.model?.cells ?? []);
  }

  #begin(sawLoading: boolean): void {
    const { context } = this.#panel;
    const { model } = context;
    this.#learnHandles();
    if (model.dirty && !sawLoading) {
      this.#all();
    }
    this.#cells().forEach(cell => {
      this.#watch(cell);
    });
    this.#panel.content.model?.cells.changed.connect(this.#onCells, this);
    model.stateChanged.connect(this.#onState, this);
    context.saveState.connect(this.#onSave, this);
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
      cell.outputs.changed.connect(() => {
        this.#since.outputs.add(cell.id);
      }, this);
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
      this.#learnHandles();
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
        this.#learnHandles();
      }
      this.#saving = null;
    }
  }

  #learnHandles(): void {
    const { model } = this.#panel.content;
    const withoutIds = model?.nbformat === 4 && model.nbformatMinor < 5;
    this.#handles = new Map(withoutIds ? this.#cells().map((cell, index) => [cell.id, `#${index}`]) : []);
  }
}
