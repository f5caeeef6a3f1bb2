/**
 * What the user is at: the current notebook, its active cell, the selected text, and what its file does not have yet.
 *
 * The law: reading costs the notebook nothing and changes nothing in it; what goes with a question stays below the
 * size the server takes.
 */

import type { ICellModel } from '@jupyterlab/cells';
import type { IOutput } from '@jupyterlab/nbformat';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { NotebookActions } from '@jupyterlab/notebook';
import type { Subject } from '../chat/host';
import type { NotebookFocus, UnsavedCell } from '../chat/protocol';
import type { Context } from './changes';
import { Changes, isCode } from './changes';
import { sendable } from './cut';

/** Bytes of unsaved cells that may go with one question, and characters of a selection. */
const MOST_BYTES = 7_500_000;
const MOST_SELECTED = 20_000;

export class Notebooks {
  readonly #tracker: INotebookTracker;
  readonly #changes = new WeakMap<Context, Changes>();
  /** Whether the server reads a notebook through this window. */
  #served: (context: Context) => boolean = () => false;

  constructor(tracker: INotebookTracker) {
    this.#tracker = tracker;
    tracker.forEach(panel => this.changes(panel.context));
    tracker.widgetAdded.connect((_, panel) => this.changes(panel.context));
  }

  /** What a notebook of this window has that its file has not. */
  changes(context: Context): Changes {
    const changes = this.#changes.get(context) ?? new Changes(context);
    this.#changes.set(context, changes);
    return changes;
  }

  /** What the server reads through this window need not be sent to it, and goes by the ids it has here. */
  serve(served: (context: Context) => boolean): void {
    this.#served = served;
  }

  subject(): Subject | null {
    const panel = this.#tracker.currentWidget;
    if (!panel) {
      return null;
    }
    return {
      name: panel.context.localPath.split('/').at(-1) ?? '',
      cell: panel.content.activeCellIndex + 1,
      selected: selection(panel).length
    };
  }

  /** The first cell that ended in an error, counted from 1; 0 for none. */
  failingCell(): number {
    const panel = this.#tracker.currentWidget;
    return panel ? cells(panel).findIndex(failed) + 1 : 0;
  }

  /** Whether the active cell ended in an error. */
  activeFails(): boolean {
    const cell = this.#tracker.currentWidget?.content.activeCell;
    return cell ? failed(cell.model) : false;
  }

  /** Calls back when another notebook or cell is current, or the text cursor moved there. */
  onSubject(listener: () => void, signal: AbortSignal): void {
    this.#tracker.currentChanged.connect(listener);
    this.#tracker.activeCellChanged.connect(listener);
    document.addEventListener('selectionchange', listener, { signal });
    signal.addEventListener('abort', () => {
      this.#tracker.currentChanged.disconnect(listener);
      this.#tracker.activeCellChanged.disconnect(listener);
    });
  }

  focus(): NotebookFocus | null {
    const panel = this.#tracker.currentWidget;
    if (!panel) {
      return null;
    }
    const active = panel.content.activeCell?.model.id;
    const selected = selection(panel).slice(0, MOST_SELECTED);
    return {
      path: panel.context.localPath,
      ...(selected.trim() ? { selection: selected } : {}),
      ...(this.#served(panel.context) ? here(active) : unsaved(panel, this.changes(panel.context), active))
    };
  }

  /** The id of the widget that shows a notebook in this window; empty without one. */
  widget(path: string): string {
    return this.#find(path)?.id ?? '';
  }

  /** Calls back with the path of each notebook of this window, once it can be seen. */
  onOpen(listener: (path: string) => void): void {
    const seen = (panel: NotebookPanel): void => {
      void panel.revealed.then(() => {
        listener(panel.context.localPath);
      });
    };
    this.#tracker.forEach(seen);
    this.#tracker.widgetAdded.connect((_, panel) => {
      seen(panel);
    });
  }

  /** Brings a cell of an open notebook into view and marks it for a moment; a cell that is not there changes nothing. */
  async reveal(path: string, handle: string): Promise<void> {
    const panel = this.#find(path);
    if (!panel || !handle) {
      return;
    }
    await panel.revealed;
    const { content } = panel;
    const id = this.changes(panel.context).local(handle);
    const index = content.widgets.findIndex(cell => cell.model.id === id);
    const cell = content.widgets[index];
    if (cell) {
      if (cell.isHidden) {
        NotebookActions.expandParent(cell, content);
      }
      content.deselectAll();
      content.activeCellIndex = index;
      await scrollTo(panel, index);
      flash(cell.node);
    }
  }

  #find(path: string): NotebookPanel | undefined {
    return this.#tracker.find(panel => panel.context.localPath === path && panel.isAttached);
  }
}

/** How often scrolling is tried, milliseconds for each, and how many looks in a row must find the cell in sight. */
const TRIES = 80;
const TRY_MS = 250;
const STEADY = 3;

/** What a user does to go on elsewhere. */
const GOES_ON = ['wheel', 'touchmove', 'pointerdown', 'keydown'] as const;

/**
 * A long notebook puts its cells into the page one after the other and guesses how high they are, and its own scrolling
 * may overtake ours: until the beginning of the cell is there and stays there, or the user has gone on.
 */
async function scrollTo({ content }: NotebookPanel, index: number): Promise<void> {
  const node = content.widgets[index]?.node;
  const gone = new AbortController();
  const { signal } = gone;
  const leave = (): void => {
    gone.abort();
  };
  for (const name of GOES_ON) {
    content.node.addEventListener(name, leave, { capture: true, passive: true, signal });
  }
  const here = (): boolean => content.activeCellIndex === index && !signal.aborted;
  for (let tries = 0, seen = 0; tries < TRIES && seen < STEADY && here(); tries++) {
    const there = node !== undefined && inSight(node, content.node);
    const pause = new Promise(resolve => setTimeout(resolve, there ? TRY_MS / STEADY : TRY_MS));
    const align = node && node.offsetHeight > content.node.clientHeight / 2 ? 'start' : 'center';
    seen = there ? seen + 1 : 0;
    await (there ? pause : Promise.race([content.scrollToItem(index, align).catch(() => undefined), pause]));
    await new Promise(requestAnimationFrame);
  }
  leave();
}

/** Pixels by which a cell may begin above the sight, as the scroll position is rounded. */
const ROUNDED = 2;

/** Whether the beginning of a cell can be seen. */
function inSight(node: HTMLElement, box: HTMLElement): boolean {
  const [{ top, height }, outer] = [node.getBoundingClientRect(), box.getBoundingClientRect()];
  return node.isConnected && height > 0 && top >= outer.top - ROUNDED && top + Math.min(height, 40) <= outer.bottom;
}

/** Milliseconds for which a cell that was led to is marked; the style sheet fades it in this time. */
const FLASH_MS = 1_600;
const FLASH = 'jp-Assistant-flash';

function flash(node: HTMLElement): void {
  node.classList.remove(FLASH);
  node.getBoundingClientRect(); // so that a second one begins anew
  node.classList.add(FLASH);
  setTimeout(() => {
    node.classList.remove(FLASH);
  }, FLASH_MS);
}

function cells(panel: NotebookPanel): readonly ICellModel[] {
  return Array.from(panel.content.model?.cells ?? []);
}

function failed(cell: ICellModel): boolean {
  return isCode(cell) && cell.outputs.length > 0 && cell.outputs.get(cell.outputs.length - 1).type === 'error';
}

function here(active: string | undefined): { readonly cell_id?: string } {
  return active ? { cell_id: active } : {};
}

/** The cell by the id it has in the file, and what the file does not have. */
function unsaved(panel: NotebookPanel, changes: Changes, active: string | undefined): Omit<NotebookFocus, 'path'> {
  const sent = unsavedCells(panel, changes, active);
  return {
    ...(active ? { cell_id: changes.handle(active) } : {}),
    ...(sent.length ? { unsaved: sent } : {}),
    ...(changes.reordered ? { order: cells(panel).map(cell => changes.handle(cell.id)) } : {})
  };
}

/** The text selected in the active cell's editor. */
function selection(panel: NotebookPanel): string {
  const editor = panel.content.activeCell?.editor;
  if (!editor) {
    return '';
  }
  const { start, end } = editor.getSelection();
  const [from, to] = [editor.getOffsetAt(start), editor.getOffsetAt(end)];
  return from === to ? '' : editor.model.sharedModel.getSource().slice(Math.min(from, to), Math.max(from, to));
}

function outputsOf(cell: ICellModel): readonly IOutput[] | undefined {
  const json = cell.sharedModel.toJSON();
  return json.cell_type === 'code' ? sendable(json['outputs'] as IOutput[]) : undefined;
}

function unsavedCell(cell: ICellModel, changes: Changes): UnsavedCell {
  const outputs = changes.outputsDiffer(cell.id) ? outputsOf(cell) : undefined;
  return {
    id: changes.handle(cell.id),
    cell_type: cell.type,
    source: cell.sharedModel.getSource(),
    ...(outputs ? { outputs } : {})
  };
}

/** The active cell first, then in order, while they fit; one whose outputs do not fit goes without them. */
function unsavedCells(panel: NotebookPanel, changes: Changes, active: string | undefined): UnsavedCell[] {
  const changed = cells(panel).filter(cell => changes.differs(cell.id) || changes.outputsDiffer(cell.id));
  const first = changed.toSorted((a, b) => Number(b.id === active) - Number(a.id === active));
  const sent: UnsavedCell[] = [];
  let room = MOST_BYTES;
  for (const cell of first) {
    const { outputs, ...bare } = unsavedCell(cell, changes);
    const fitting = [outputs ? { ...bare, outputs } : bare, bare].find(each => bytes(each) <= room);
    if (fitting) {
      room -= bytes(fitting);
      sent.push(fitting);
    }
  }
  return sent;
}

const encoder = new TextEncoder();

function bytes(cell: UnsavedCell): number {
  return encoder.encode(JSON.stringify(cell)).length;
}
