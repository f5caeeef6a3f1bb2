/**
 * Cells of an open notebook, run as if the user had pressed the key, and what they put out while they run.
 *
 * The law: one cell after the other, in JupyterLab's own way, until one fails; only a cell that the kernel is at is
 * ever interrupted; the user's place in the notebook stays his.
 */

import type { Cell, ICellModel, ICodeCellModel } from '@jupyterlab/cells';
import { CodeCell } from '@jupyterlab/cells';
import type { Notebook, NotebookPanel } from '@jupyterlab/notebook';
import { NotebookActions } from '@jupyterlab/notebook';
import { isCode } from '../changes';
import { tail } from './cut';
import { ready } from './kernel';
import { outputsOf } from './reading';
import { watch } from '../watch';
import type { CellState, Progress } from './wire';
import { Refusal } from './wire';

/** Milliseconds between two reports, and how many times as long as the last one took. */
const PAUSE_MS = 100;
const RESPITE = 10;

export type Report = (cells: readonly Progress[]) => void;

/** A cell as it was found; its widget forgets its model when the notebook is closed. */
interface Found {
  readonly cell: Cell;
  readonly model: ICellModel;
  readonly id: string;
}

/** What became of the cells, in order. Ends by itself when `signal` is aborted, which interrupts a cell of ours. */
export async function run(
  panel: NotebookPanel,
  ids: readonly string[],
  report: Report,
  signal: AbortSignal
): Promise<readonly Progress[]> {
  const cells = ids.map(id => find(panel.content, id));
  if (cells.some(({ model }) => isCode(model))) {
    await ready(panel.sessionContext, signal);
  }
  report(cells.map(found => progress(found, 'waiting')));
  const states: CellState[] = [];
  for (const found of cells) {
    const over = signal.aborted || states.some(state => state !== 'done');
    states.push(over ? 'not run' : await runOne(panel, found, report, signal));
  }
  return cells.map((found, index) => progress(found, states[index] ?? 'not run'));
}

function find(content: Notebook, id: string): Found {
  const cell = content.widgets.find(each => each.model.id === id);
  if (!cell) {
    throw new Refusal('cell_not_found', `The notebook has no cell ${id.slice(0, 64)}.`, 'Read the notebook again.', {
      cell_id: id
    });
  }
  return { cell, model: cell.model, id };
}

async function runOne(panel: NotebookPanel, found: Found, report: Report, signal: AbortSignal): Promise<CellState> {
  const { cell, model } = found;
  if (model.isDisposed) {
    return 'not run';
  }
  if (!isCode(model)) {
    await quietly(panel, cell);
    return 'done';
  }
  if (!(await turn(panel, model, signal)) || cell.isDisposed) {
    return 'not run';
  }
  const following = new Following(found, report);
  try {
    const done = quietly(panel, cell);
    following.begin(cell as CodeCell, () => {
      interruptWhenAborted(panel, following, signal);
    });
    return (await done) ? 'done' : 'error';
  } catch (error) {
    console.warn('jupyter-assistant: a cell could not be run', error);
    return 'error';
  } finally {
    following.end();
  }
}

/** Waits as a queued cell does, so that ours can still be taken back; whether it is to be run. */
async function turn({ sessionContext }: NotebookPanel, model: ICodeCellModel, signal: AbortSignal): Promise<boolean> {
  const kernel = sessionContext.session?.kernel;
  if (kernel?.status === 'busy') {
    model.executionState = 'running';
    await new Promise<void>(resolve => {
      const look = (): void => {
        if (signal.aborted || kernel.isDisposed || kernel.status !== 'busy') {
          kernel.statusChanged.disconnect(look);
          kernel.disposed.disconnect(look);
          resolve();
        }
      };
      kernel.statusChanged.connect(look);
      kernel.disposed.connect(look);
      signal.addEventListener('abort', look, { once: true });
    });
    if (signal.aborted) {
      model.executionState = 'idle';
    }
  }
  return !signal.aborted;
}

/** JupyterLab's own way of running a cell, without what it does for a user who has just pressed a key there. */
function quietly({ content, sessionContext }: NotebookPanel, cell: Cell): Promise<boolean> {
  if (cell === content.activeCell && !isCode(cell.model)) {
    content.mode = 'command'; // a text is not shown while it is edited
  }
  const { mode } = content;
  let done: Promise<boolean>;
  // It leaves edit mode, scrolls to the active cell and focuses it: the user may be typing, or looking elsewhere.
  Object.defineProperties(content, {
    mode: { configurable: true, get: () => mode, set: () => undefined },
    scrollToItem: { configurable: true, value: () => new Promise<void>(() => undefined) }
  });
  try {
    done = NotebookActions.runCells(content, [cell], sessionContext);
  } finally {
    Reflect.deleteProperty(content, 'mode');
    Reflect.deleteProperty(content, 'scrollToItem');
  }
  return done;
}

function interruptWhenAborted({ sessionContext }: NotebookPanel, following: Following, signal: AbortSignal): void {
  const stop = (): void => {
    if (following.isRunning) {
      void sessionContext.session?.kernel?.interrupt().catch(() => undefined);
    }
  };
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) {
    stop();
  }
}

/** Gives up what was sent `before` that time (of `Date.now`), as JupyterLab does when it restarts a kernel itself. */
export function release({ content }: NotebookPanel, before: number): void {
  for (const cell of content.widgets) {
    const future = cell instanceof CodeCell ? futureOf(cell) : null;
    if (future && Date.parse(future.msg.header.date) < before) {
      future.dispose();
    }
  }
}

/** What the cell waits for of the kernel, or did wait for last. */
function futureOf({ outputArea }: CodeCell): CodeCell['outputArea']['future'] | null {
  const area: { readonly future?: CodeCell['outputArea']['future'] } = outputArea;
  return area.future?.isDisposed === false ? area.future : null;
}

function progress({ model, id }: Found, state: CellState): Progress {
  const there = !model.isDisposed && isCode(model);
  return {
    cell_id: id,
    state,
    execution_count: there ? model.executionCount : null,
    ...tail(there ? outputsOf(model) : [])
  };
}

/** Reports what a running cell puts out, a few times a second. */
class Following {
  readonly #found: Found;
  readonly #report: Report;
  readonly #leave: () => void;
  #state: CellState = 'waiting';
  #timer: ReturnType<typeof setTimeout> | null = null;
  #pause = PAUSE_MS;

  constructor(found: Found, report: Report) {
    this.#found = found;
    this.#report = report;
    this.#leave = watch(found.model, () => {
      this.#soon();
    });
  }

  get isRunning(): boolean {
    return this.#state === 'running';
  }

  /** Its request has just been sent; calls back when the kernel has begun it. */
  begin(cell: CodeCell, onRunning: () => void): void {
    const running = (): void => {
      this.#state = 'running';
      this.#soon();
      onRunning();
    };
    const future = futureOf(cell);
    if (!future) {
      running(); // somebody else's way of running cells: nothing more is known
      return;
    }
    future.registerMessageHook(message => {
      if (message.header.msg_type === 'execute_input' && this.#state === 'waiting') {
        running();
      }
      return true;
    });
  }

  end(): void {
    this.#state = 'done';
    clearTimeout(this.#timer ?? undefined);
    this.#leave();
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      const begun = performance.now();
      this.#report([progress(this.#found, this.#state)]);
      this.#pause = Math.max(PAUSE_MS, RESPITE * (performance.now() - begun));
    }, this.#pause);
  }
}
