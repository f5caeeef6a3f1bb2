/**
 * Saves of one open notebook: ours, and the care that all others need.
 *
 * The law: a save of ours never asks the user anything and never overwrites what somebody else wrote to the file; two
 * saves never overlap; what changes while a save is under way is not taken for saved.
 */

import type { Contents } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import type { Context } from '../changes';

/** Milliseconds by which a file may be newer than what was loaded from it, as JupyterLab has it. */
const MARGIN_MS = 500;

const CLOSED = 'The notebook was closed before it could be saved.';

export class Saving {
  readonly #context: Context;
  readonly #contents: Contents.IManager;
  /** JupyterLab's own. */
  readonly #save: () => Promise<void>;
  /** Ends, never failing, when the last save that was begun has ended. */
  #last: Promise<void> = Promise.resolve();
  /** The same for what was to be taken from the file. */
  #reverting: Promise<void> = Promise.resolve();
  #changed = false;

  /** Of a notebook that is loaded; ends with it, or when it is disposed. */
  constructor(context: Context, contents: Contents.IManager) {
    this.#context = context;
    this.#contents = contents;
    this.#save = context.save.bind(context);
    // JupyterLab takes one of two saves that overlap for somebody else's, and asks the user about it.
    context.save = () => this.#inTurn(this.#save);
    context.model.contentChanged.connect(this.#onContent, this);
    context.saveState.connect(this.#onSave, this);
  }

  dispose(): void {
    delete (this.#context as { save?: unknown }).save;
    Signal.clearData(this);
  }

  /** Ends once no save is under way. */
  idle(): Promise<void> {
    return this.#last;
  }

  /** Ends once what the file holds has been taken, where that was asked for. */
  caughtUp(): Promise<void> {
    return this.#reverting;
  }

  /** Saves; the answer is why it could not be done, empty when it was. */
  async save(): Promise<string> {
    let obstacle = '';
    try {
      await this.#inTurn(async () => {
        obstacle = await this.#obstacle();
        await (obstacle ? undefined : this.#silently(this.#save));
      });
      return obstacle;
    } catch (error) {
      return `Saving failed: ${said(error)}`;
    }
  }

  /** Takes what the file holds, where that is another and `allowed` at the last moment; raises where it cannot. */
  revert(allowed: () => boolean): Promise<void> {
    const reverted = this.#inTurn(async () => {
      if ((await this.#differs()) && !this.#closed() && allowed()) {
        await this.#context.revert();
      }
    });
    this.#reverting = reverted.catch(() => undefined);
    return reverted;
  }

  #inTurn(save: () => Promise<void>): Promise<void> {
    const mine = this.#last.then(save);
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  /** JupyterLab would ask the user what to do about a file that is not the one it knows. */
  async #obstacle(): Promise<string> {
    if (this.#closed()) {
      return CLOSED;
    }
    try {
      const theirs = await this.#differs();
      if (this.#closed()) {
        return CLOSED; // JupyterLab would show an error
      }
      return theirs ? 'Somebody else has changed the file since it was opened here, so it was not overwritten.' : '';
    } catch (error) {
      return `The file cannot be reached, so the notebook was not saved: ${said(error)}`;
    }
  }

  /** What goes wrong with a save of ours is told to whoever asked for it: the user did not, and gets no dialog. */
  async #silently(save: () => Promise<void>): Promise<void> {
    const context: { _handleError?: () => Promise<void> } = this.#context as object;
    context._handleError = () => Promise.resolve();
    try {
      await save();
    } finally {
      delete context._handleError;
    }
  }

  #closed(): boolean {
    return this.#context.isDisposed;
  }

  /** Whether the file is not the one that was loaded or saved here last. */
  async #differs(): Promise<boolean> {
    const { path, contentsModel } = this.#context;
    const file = await this.#contents.get(path, { content: false, hash: true });
    return file.hash && contentsModel?.hash ? contentsModel.hash !== file.hash : newer(file, contentsModel);
  }

  #onContent(): void {
    this.#changed = true;
  }

  /** When a save ends JupyterLab calls the notebook clean, with what was changed while it went on. */
  #onSave(_: unknown, state: string): void {
    const { model } = this.#context;
    if (state === 'completed' && this.#changed && !model.collaborative) {
      model.dirty = true;
    }
    this.#changed = false;
  }
}

interface Dated {
  readonly last_modified: string;
}

function newer(file: Dated, known: Dated | null): boolean {
  return known !== null && Date.parse(file.last_modified) - Date.parse(known.last_modified) > MARGIN_MS;
}

function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
