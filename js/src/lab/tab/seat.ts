/**
 * Where the user is in a view of a notebook, kept while its cells change under him.
 *
 * The law: the active cell, the cursor, the focus and what is in sight are afterwards what they were before; nothing is
 * focused that was not.
 */

import type { Cell } from '@jupyterlab/cells';
import { MarkdownCell } from '@jupyterlab/cells';
import type { CodeEditor } from '@jupyterlab/codeeditor';
import type { Notebook } from '@jupyterlab/notebook';
import { NotebookActions } from '@jupyterlab/notebook';

/** Frames for which a long notebook may go on measuring its new cells. */
const FRAMES = 6;

/** `going`: cells that are taken out, though some of them come back as another object with the same id. */
export function seated<T>(content: Notebook, going: ReadonlySet<string>, change: () => T): T {
  const back = [place(content, going), unrendered(content, going), active(content, going)];
  const result = change();
  back.forEach(restore => {
    restore();
  });
  return result;
}

function find(content: Notebook, id: string): Cell | undefined {
  return content.widgets.find(cell => cell.model.id === id);
}

/** The active cell, and the cursor in it. */
function active(content: Notebook, going: ReadonlySet<string>): () => void {
  const cell = content.activeCell;
  if (!cell) {
    return () => undefined;
  }
  const { id } = cell.model;
  const goes = going.has(id);
  const focused = content.node.contains(document.activeElement);
  const selections = goes && content.mode === 'edit' ? cell.editor?.getSelections() : undefined;
  if (selections) {
    withoutFocus(content, 'command');
  }
  return () => {
    const index = content.widgets.findIndex(each => each.model.id === id);
    if (goes && index >= 0) {
      content.activeCellIndex = index;
    }
    if (focused && index >= 0 && selections) {
      void goOn(content.widgets[index], selections);
    } else if (focused && !content.node.contains(document.activeElement)) {
      void NotebookActions.focusActiveCell(content, { waitUntilReady: false, preventScroll: true });
    }
  };
}

/** Into the new editor of a cell that was being edited, unless the user has gone elsewhere meanwhile. */
async function goOn(cell: Cell | undefined, selections: readonly CodeEditor.IRange[]): Promise<void> {
  await cell?.ready;
  if (document.activeElement === document.body) {
    cell?.editor?.focus(); // which begins edit mode
    cell?.editor?.setSelections([...selections]);
  }
}

function withoutFocus(content: Notebook, mode: 'command'): void {
  (content as unknown as { setMode(mode: string, options: { focus: boolean }): void }).setMode(mode, { focus: false });
}

/** Text cells that the user has open. */
function unrendered(content: Notebook, going: ReadonlySet<string>): () => void {
  const open = content.widgets.filter(
    cell => cell instanceof MarkdownCell && !cell.rendered && going.has(cell.model.id)
  );
  const ids = open.map(cell => cell.model.id);
  return () => {
    for (const cell of ids.map(id => find(content, id))) {
      if (cell instanceof MarkdownCell) {
        cell.rendered = false;
      }
    }
  };
}

/** What is at the top of the view stays there, whatever comes or goes above it. */
function place(content: Notebook, going: ReadonlySet<string>): () => void {
  const { outerNode } = content;
  const top = outerNode.getBoundingClientRect().top;
  const anchor = content.widgets.find(
    cell => cell.node.isConnected && !going.has(cell.model.id) && cell.node.getBoundingClientRect().bottom > top
  );
  const offset = anchor ? anchor.node.getBoundingClientRect().top - top : 0;
  const scrolled = outerNode.scrollTop;
  const settle = (frames: number): void => {
    if (anchor?.node.isConnected && frames > 0) {
      const moved = anchor.node.getBoundingClientRect().top - outerNode.getBoundingClientRect().top - offset;
      if (Math.abs(moved) >= 1) {
        outerNode.scrollTop += moved;
      }
      requestAnimationFrame(() => {
        settle(frames - 1);
      });
    }
  };
  return () => {
    if (scrolled > 0) {
      settle(FRAMES);
    }
  };
}
