/**
 * Questions that begin in the notebook: about a cell, or about an error in it.
 *
 * The law: the cell is made the active one first, so that what is asked about is what is sent and what is seen.
 */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Trans } from '../chat/host';
import type { About } from './errors';
import type { Sidebar } from './sidebar';

interface Surroundings {
  readonly app: JupyterFrontEnd;
  readonly tracker: INotebookTracker;
  readonly sidebar: Sidebar;
  readonly trans: Trans;
}

export class Asking {
  readonly #app: JupyterFrontEnd;
  readonly #tracker: INotebookTracker;
  readonly #sidebar: Sidebar;
  readonly #trans: Trans;

  constructor({ app, tracker, sidebar, trans }: Surroundings) {
    this.#app = app;
    this.#tracker = tracker;
    this.#sidebar = sidebar;
    this.#trans = trans;
  }

  /** The number of the active cell, counted from 1; 0 for none. */
  get cell(): number {
    return (this.#tracker.currentWidget?.content.activeCellIndex ?? -1) + 1;
  }

  /** Begins a question about the active cell; the user goes on. */
  async begin(): Promise<void> {
    const lead = `${this.#trans.__('About cell %1:', this.cell)} `;
    const panel = await this.#open();
    panel?.lead(lead);
    panel?.focus();
  }

  /** Asks about the error of the active cell. */
  async error(about: About): Promise<void> {
    const question =
      about === 'fix'
        ? this.#trans.__('Fix the error in cell %1.', this.cell)
        : this.#trans.__('Explain the error in cell %1.', this.cell);
    const panel = await this.#open();
    await panel?.ask(question);
  }

  /** Asks about the error of the cell that an element is in. */
  async errorAt(about: About, element: HTMLElement): Promise<void> {
    const panel = this.#tracker.find(each => each.content.node.contains(element));
    const index = panel?.content.widgets.findIndex(cell => cell.node.contains(element)) ?? -1;
    if (panel && index >= 0) {
      this.#activate(panel, index);
      await this.error(about);
    }
  }

  #activate(panel: NotebookPanel, index: number): void {
    if (this.#tracker.currentWidget !== panel) {
      this.#app.shell.activateById(panel.id);
    }
    panel.content.activeCellIndex = index;
    panel.content.deselectAll();
  }

  #open(): ReturnType<Sidebar['ready']> {
    this.#app.shell.activateById(this.#sidebar.id);
    return this.#sidebar.ready();
  }
}
