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
}

export class Opening {
  readonly #commands: CommandRegistry;
  readonly #notebooks: Notebooks;
  readonly #place: string;

  constructor({ commands, notebooks, baseUrl }: Surroundings) {
    this.#commands = commands;
    this.#notebooks = notebooks;
    this.#place = `jupyter-assistant:${baseUrl}:cell`;
    notebooks.onOpen(path => {
      this.#take(path);
    });
  }

  async open(path: string, cell_id: string): Promise<void> {
    const here = this.#notebooks.has(path);
    if (!here) {
      localStorage.setItem(this.#place, JSON.stringify({ path, cell_id, at: Date.now() }));
    }
    await this.#commands.execute('docmanager:open', { path });
    if (here) {
      await this.#notebooks.reveal(path, cell_id);
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
