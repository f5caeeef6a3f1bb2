/**
 * Code from an answer, put into the open notebook beside or in its active cell.
 *
 * The law: each use is one step for JupyterLab's own undo (Ctrl+Z for a text, Z for cells), never joined with what was
 * typed before or after it, and it ends with that cell in sight, where that key works.
 */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { INotebookTracker, Notebook, NotebookPanel } from '@jupyterlab/notebook';
import type { CellPlace, CellUse, Trans } from '../chat/host';

type Kind = 'code' | 'markdown';

interface Surroundings {
  readonly app: JupyterFrontEnd;
  readonly tracker: INotebookTracker;
  readonly trans: Trans;
}

/** The kind of cell that a fence's language belongs into. */
export function kindOf(language: string): Kind {
  return language === 'markdown' || language === 'md' ? 'markdown' : 'code';
}

export class ActiveCell implements CellPlace {
  readonly #app: JupyterFrontEnd;
  readonly #tracker: INotebookTracker;
  readonly #trans: Trans;

  constructor({ app, tracker, trans }: Surroundings) {
    this.#app = app;
    this.#tracker = tracker;
    this.#trans = trans;
  }

  obstacle(use: CellUse): string {
    const content = this.#tracker.currentWidget?.content;
    if (!content?.model) {
      return this.#trans.__('Open a notebook first');
    }
    if (content.model.readOnly) {
      return this.#trans.__('The notebook is read-only');
    }
    return use === 'replace' ? this.#irreplaceable(content) : '';
  }

  async put(use: CellUse, code: string, language: string): Promise<string> {
    const [panel, obstacle] = [this.#tracker.currentWidget, this.obstacle(use)];
    if (!panel || obstacle) {
      return obstacle;
    }
    const kind = kindOf(language);
    const editing = use === 'replace' && panel.content.activeCell?.model.type === kind;
    if (editing) {
      rewrite(panel.content, code);
    } else if (use === 'replace') {
      exchange(panel.content, kind, code);
    } else {
      insertBelow(panel.content, kind, code);
    }
    await this.#show(panel, editing ? 'edit' : 'command');
    if (use === 'run') {
      void this.#app.commands.execute('notebook:run-cell');
    }
    return '';
  }

  #irreplaceable({ activeCell, activeCellIndex }: Notebook): string {
    if (!activeCell) {
      return this.#trans.__('The notebook has no cell');
    }
    return activeCell.model.getMetadata('editable') === false
      ? this.#trans.__('Cell %1 is locked', activeCellIndex + 1)
      : '';
  }

  /** The mode is the one in which JupyterLab's key takes back what was just done. */
  async #show(panel: NotebookPanel, mode: 'edit' | 'command'): Promise<void> {
    const { content } = panel;
    content.mode = 'command';
    content.deselectAll();
    this.#app.shell.activateById(panel.id);
    await content.scrollToItem(content.activeCellIndex, 'smart');
    content.mode = mode;
  }
}

/** A step of its own: the shared models join changes that follow each other within half a second. */
export function asOneStep(shared: object | undefined, change: () => void): void {
  const { undoManager } = (shared ?? {}) as { readonly undoManager?: { stopCapturing(): void } | null };
  undoManager?.stopCapturing();
  change();
  undoManager?.stopCapturing();
}

function rewrite({ activeCell }: Notebook, code: string): void {
  const shared = activeCell?.model.sharedModel;
  asOneStep(shared, () => {
    shared?.setSource(code);
  });
}

function newCell(kind: Kind, source: string): { cell_type: Kind; source: string; metadata: { trusted?: boolean } } {
  return { cell_type: kind, source, metadata: { ...(kind === 'code' ? { trusted: true } : {}) } };
}

function insertBelow(content: Notebook, kind: Kind, code: string): void {
  const [shared, index] = [content.model?.sharedModel, content.activeCellIndex + 1];
  asOneStep(shared, () => {
    shared?.insertCell(index, newCell(kind, code));
  });
  content.activeCellIndex = index;
}

/** Another kind of cell takes the active one's place. */
function exchange(content: Notebook, kind: Kind, code: string): void {
  const [shared, index] = [content.model?.sharedModel, content.activeCellIndex];
  asOneStep(shared, () => {
    shared?.transact(() => {
      shared.deleteCell(index);
      shared.insertCell(index, newCell(kind, code));
    });
  });
  content.activeCellIndex = index;
}
