/**
 * The notebooks that are open in this window, each once, however many views show it.
 *
 * The law: a notebook is in the list from when it is loaded until its last view is closed; what is listed is what the
 * user has, never what the file has.
 */

import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import type { Changes, Context } from '../changes';
import { Reading } from './reading';
import { Saving } from './saving';
import type { Listed } from './wire';
import { Refusal } from './wire';

/** Drives of JupyterLab whose paths are the server's own. */
const OURS: readonly string[] = ['', 'RTC'];

export class OpenNotebook {
  readonly reading: Reading;
  readonly saving: Saving;
  readonly views = new Set<NotebookPanel>();

  constructor(
    readonly id: string,
    readonly context: Context,
    readonly changes: Changes,
    contents: Contents.IManager
  ) {
    this.reading = new Reading(context, id);
    this.saving = new Saving(context, contents);
  }

  get dirty(): boolean {
    return this.changes.any;
  }

  get readOnly(): boolean {
    return this.context.model.readOnly || this.context.contentsModel?.writable === false;
  }
}

interface Surroundings {
  readonly tracker: INotebookTracker;
  readonly contents: Contents.IManager;
  readonly changes: (context: Context) => Changes;
  /** Told apart from other windows. */
  readonly window: string;
  /** Called when anything in the list may be another. */
  readonly onChange: () => void;
}

export class Documents {
  readonly #around: Surroundings;
  readonly #open = new Map<Context, OpenNotebook>();
  #count = 0;

  constructor(around: Surroundings) {
    this.#around = around;
    const { tracker, onChange } = around;
    tracker.forEach(panel => {
      this.#add(panel);
    });
    tracker.widgetAdded.connect((_, panel) => {
      this.#add(panel);
    }, this);
    tracker.currentChanged.connect(onChange, this);
  }

  dispose(): void {
    Signal.clearData(this);
    this.#open.forEach(({ saving }) => {
      saving.dispose();
    });
    this.#open.clear();
  }

  has(context: Context): boolean {
    return this.#open.has(context);
  }

  /** Raises a `Refusal` for a notebook that is not open (any more). */
  find(id: string): OpenNotebook {
    const found = [...this.#open.values()].find(each => each.id === id);
    if (!found) {
      throw new Refusal('unknown_document', 'This notebook is not open in this window any more.');
    }
    return found;
  }

  /** The view that the user is at, or the first. */
  view(notebook: OpenNotebook): NotebookPanel {
    const current = this.#around.tracker.currentWidget;
    const view = current && notebook.views.has(current) ? current : [...notebook.views][0];
    if (!view) {
      throw new Refusal('unknown_document', 'This notebook is not open in this window any more.');
    }
    return view;
  }

  list(): readonly Listed[] {
    const current = this.#around.tracker.currentWidget?.context;
    return [...this.#open.values()].map(notebook => ({
      document: notebook.id,
      path: notebook.context.localPath,
      dirty: notebook.dirty,
      read_only: notebook.readOnly,
      collaborative: notebook.context.model.collaborative ?? false,
      views: notebook.views.size,
      current: notebook.context === current,
      kernel_id: notebook.context.sessionContext.session?.kernel?.id ?? null
    }));
  }

  #add(panel: NotebookPanel): void {
    const { context } = panel;
    if (OURS.includes(this.#around.contents.driveName(context.path))) {
      // The content is in the view only a moment after the notebook is loaded.
      void Promise.all([context.ready, panel.revealed]).then(() => {
        if (!panel.isDisposed && !context.isDisposed) {
          this.#take(panel);
        }
      });
    }
  }

  #take(panel: NotebookPanel): void {
    const { context } = panel;
    const notebook = this.#open.get(context) ?? this.#begin(context);
    notebook.views.add(panel);
    panel.disposed.connect(() => {
      notebook.views.delete(panel);
      if (notebook.views.size === 0) {
        this.#forget(notebook);
      }
      this.#around.onChange();
    }, this);
    this.#around.onChange();
  }

  #begin(context: Context): OpenNotebook {
    const { changes, contents, onChange, window } = this.#around;
    const notebook = new OpenNotebook(`${window}-${++this.#count}`, context, changes(context), contents);
    this.#open.set(context, notebook);
    context.pathChanged.connect(onChange, this);
    context.fileChanged.connect(onChange, this);
    context.saveState.connect(onChange, this);
    context.model.stateChanged.connect(onChange, this);
    context.model.contentChanged.connect(onChange, this);
    context.sessionContext.kernelChanged.connect(onChange, this);
    return notebook;
  }

  #forget(notebook: OpenNotebook): void {
    notebook.saving.dispose();
    this.#open.delete(notebook.context);
  }
}
