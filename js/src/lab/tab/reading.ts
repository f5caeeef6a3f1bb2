/**
 * An open notebook as the server reads it: whole the first time, after that the cells that changed.
 *
 * The law: a cell is taken apart once per change, never more than a few milliseconds at a stretch, so that nobody's
 * typing waits for a reader.
 */

import type { ICellModel } from '@jupyterlab/cells';
import type { IOutput } from '@jupyterlab/nbformat';
import { Signal } from '@lumino/signaling';
import type { Context } from '../changes';
import { isCode } from '../changes';
import { bounded, emptied, MOST_PAYLOAD, trimmed, weight } from './cut';
import { watch } from '../watch';
import { Refusal } from './wire';

/** Characters of one answer, and milliseconds of one stretch. */
const MOST_CHARS = 4_000_000;
const STRETCH_MS = 12;
/** Characters of one answer with whole outputs. */
const MOST_WHOLE = 40_000_000;

type Json = Readonly<Record<string, unknown>>;

export interface Read {
  readonly revision: string;
  readonly path: string;
  readonly dirty: boolean;
  readonly nbformat: number;
  readonly nbformat_minor: number;
  /** The minor version the file is saved with; before 5 its cells have no ids there. */
  readonly stored_minor: number;
  readonly metadata: Json;
  readonly order: readonly string[];
  readonly cells: readonly Json[];
}

interface Taken {
  readonly json: Json;
  readonly chars: number;
}

interface Entry {
  /** The revision in which the cell came or changed last. */
  at: number;
  taken: Taken | null;
  leave: () => void;
}

export class Reading {
  readonly #context: Context;
  /** Told apart from what another window, or this one before a reload, called its revisions. */
  readonly #name: string;
  readonly #entries = new Map<ICellModel, Entry>();
  #revision = 1;

  /** Of a notebook that is loaded; ends with it. */
  constructor(context: Context, name: string) {
    this.#context = context;
    this.#name = name;
    const { model } = context;
    model.cells.changed.connect(this.#onCells, this);
    model.metadataChanged.connect(() => {
      this.#revision++;
    }, this);
    this.#onCells();
    context.disposed.connect(() => {
      Signal.clearData(this);
      this.#entries.clear();
    });
  }

  get revision(): string {
    return `${this.#name}:${this.#revision}`;
  }

  /** `known` is a revision that the reader has; `dirty` is said as it is at the end. */
  async read(known: string, dirty: () => boolean): Promise<Read> {
    await this.#prepare();
    const { localPath, model } = this.#context;
    const since = known.startsWith(`${this.#name}:`) ? Number(known.slice(this.#name.length + 1)) : 0;
    const changed = this.#cells().filter(cell => (this.#entries.get(cell)?.at ?? Infinity) > since);
    return {
      revision: this.revision,
      path: localPath,
      dirty: dirty(),
      nbformat: model.nbformat,
      nbformat_minor: Math.max(5, model.nbformatMinor),
      stored_minor: model.nbformatMinor,
      metadata: model.sharedModel.metadata,
      order: this.#cells().map(cell => cell.id),
      cells: within(changed.map(cell => this.#taken(cell)))
    };
  }

  /** The outputs of these cells, whole; raises a `Refusal` for one that is not there. */
  outputs(ids: readonly string[]): Readonly<Record<string, readonly IOutput[]>> {
    const found = ids.map(id => [id, outputsOf(this.cell(id))] as const);
    const chars = found.flatMap(([, outputs]) => outputs.map(weight)).reduce((sum, each) => sum + each, 0);
    const most = chars > MOST_WHOLE ? MOST_PAYLOAD / 8 : MOST_PAYLOAD;
    return Object.fromEntries(found.map(([id, outputs]) => [id, bounded(outputs, most)]));
  }

  /** Raises a `Refusal` where there is none. */
  cell(id: string): ICellModel {
    const cell = this.#cells().find(each => each.id === id);
    if (!cell) {
      throw new Refusal('cell_not_found', `The notebook has no cell ${id.slice(0, 64)}.`, 'Read the notebook again.', {
        cell_id: id
      });
    }
    return cell;
  }

  #cells(): readonly ICellModel[] {
    return Array.from(this.#context.model.cells);
  }

  #onCells(): void {
    this.#revision++;
    const cells = new Set(this.#cells());
    for (const [cell, entry] of this.#entries) {
      if (!cells.has(cell)) {
        entry.leave();
        this.#entries.delete(cell);
      }
    }
    for (const cell of cells) {
      if (!this.#entries.has(cell)) {
        this.#watch(cell);
      }
    }
  }

  #watch(cell: ICellModel): void {
    const entry: Entry = { at: this.#revision, taken: null, leave: () => undefined };
    this.#entries.set(cell, entry);
    entry.leave = watch(cell, () => {
      entry.at = ++this.#revision;
      entry.taken = null;
    });
  }

  /** Takes all cells apart, in stretches with pauses between them. */
  async #prepare(): Promise<void> {
    let begun = performance.now();
    for (const cell of this.#cells()) {
      this.#taken(cell);
      if (performance.now() - begun > STRETCH_MS) {
        await breath();
        begun = performance.now();
      }
    }
  }

  #taken(cell: ICellModel): Taken {
    const entry = this.#entries.get(cell);
    const taken = entry?.taken ?? take(cell);
    if (entry) {
      entry.taken = taken;
    }
    return taken;
  }
}

/** Lets everything else have its turn; a timer would take a second in a page that is not in sight. */
async function breath(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  await new Promise<unknown>(resolve => {
    port1.onmessage = resolve;
    port2.postMessage(null);
  });
  port1.close();
}

function take(cell: ICellModel): Taken {
  const { id, cell_type, source, metadata, outputs, execution_count } = cell.sharedModel.toJSON() as Json;
  const code = isCode(cell) ? { outputs: trimmed(outputs as IOutput[]), execution_count } : {};
  const json = { id, cell_type, source, metadata, ...code };
  return { json, chars: JSON.stringify(json).length };
}

export function outputsOf(cell: ICellModel): readonly IOutput[] {
  return isCode(cell) ? cell.sharedModel.getOutputs() : [];
}

/** As many characters as an answer may have: the largest cells go without what their outputs hold. */
function within(cells: readonly Taken[]): readonly Json[] {
  let over = cells.reduce((sum, { chars }) => sum + chars, 0) - MOST_CHARS;
  const slim = new Map<Taken, Json>();
  for (const taken of cells.toSorted((a, b) => b.chars - a.chars)) {
    if (over <= 0) {
      break;
    }
    const { json, chars } = taken;
    const outputs = emptied((json['outputs'] ?? []) as IOutput[]);
    const less = { ...json, ...(json['outputs'] ? { outputs } : {}) };
    slim.set(taken, less);
    over -= chars - JSON.stringify(less).length;
  }
  return cells.map(taken => slim.get(taken) ?? taken.json);
}
