/**
 * The way to a cell, wherever its notebook is: in sight, in another tab of this window, or not open at all.
 *
 * The law: Notebook 7 opens a notebook in a window of its own; what was to be seen there is handed over to it, for a
 * minute, and taken by one window only.
 */

import type { CommandRegistry } from '@lumino/commands';
import { object, parse } from '../chat/protocol';
import type { Notebooks } from './notebook';

/** Milliseconds for which another window may take over. */
const HANDED_MS = 60_000;

interface Surroundings {
  readonly commands: CommandRegistry;
  readonly notebooks: Notebooks;
  readonly baseUrl: string;
  /** Brings a widget of this window to the front. */
  readonly show: (id: string) => void;
}

export class Opening {
  readonly #commands: CommandRegistry;
  readonly #notebooks: Notebooks;
  readonly #place: string;
  readonly #show: (id: string) => void;

  constructor({ commands, notebooks, baseUrl, show }: Surroundings) {
    this.#commands = commands;
    this.#notebooks = notebooks;
    this.#show = show;
    this.#place = `jupyter-assistant:${baseUrl}:cell`;
    notebooks.onOpen(path => {
      this.#take(path);
    });
  }

  async open(path: string, cell_id: string): Promise<void> {
    const here = this.#notebooks.widget(path);
    if (here) {
      // Not by opening it: Notebook 7 takes an open notebook out of its window when it is opened again.
      this.#show(here);
      await this.#notebooks.reveal(path, cell_id);
    } else {
      localStorage.setItem(this.#place, JSON.stringify({ path, cell_id, at: Date.now() }));
      await this.#commands.execute('docmanager:open', { path });
    }
  }

  /** Shows the cell that was asked for before this notebook was there. */
  #take(path: string): void {
    const wanted = object(parse(localStorage.getItem(this.#place) ?? ''));
    const { cell_id, at } = wanted;
    if (wanted['path'] !== path || typeof cell_id !== 'string' || typeof at !== 'number') {
      return;
    }
    localStorage.removeItem(this.#place);
    if (Date.now() - at < HANDED_MS) {
      void this.#notebooks.reveal(path, cell_id);
    }
  }
}
