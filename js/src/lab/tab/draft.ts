/**
 * What edits come to, decided on a draft of the notebook before anything is touched; pure.
 *
 * The law: all edits of a request can be made or none is; a cell that the user locked, or that runs, keeps its place
 * and its kind.
 */

import type { CellKind, Edit, Execution, NewCell } from './wire';
import { Refusal } from './wire';

/** A cell as the draft needs it. */
export interface Line {
  readonly id: string;
  readonly cell_type: string;
  readonly source: string;
  readonly editable: boolean;
  readonly deletable: boolean;
  /** Whether the kernel is at it, or is to be. */
  readonly busy: boolean;
}

export interface Identified extends NewCell {
  readonly id: string;
}

/** One thing to do; places count from 0, as they are when it is its turn. */
export type Step =
  | { readonly step: 'insert'; readonly index: number; readonly cells: readonly Identified[] }
  | { readonly step: 'write'; readonly index: number; readonly source: string }
  | { readonly step: 'retype'; readonly index: number; readonly source: string; readonly cell_type: CellKind }
  | { readonly step: 'move'; readonly index: number; readonly to: number }
  | { readonly step: 'delete'; readonly index: number }
  | { readonly step: 'clear'; readonly index: number }
  | { readonly step: 'give'; readonly index: number; readonly execution: Execution };

/** One cell that an edit named: its source before and after (null: it was not, it is no more), its place after. */
export interface Changed {
  readonly cell_id: string;
  readonly before: string | null;
  readonly after: string | null;
  readonly index: number | null;
}

export interface Plan {
  readonly steps: readonly Step[];
  readonly inserted: readonly string[];
  readonly cells: readonly Changed[];
}

/** Raises a `Refusal` where one of `expected` is not as it was, or an edit cannot be made. */
export function planned(
  lines: readonly Line[],
  edits: readonly Edit[],
  expected: ReadonlyMap<string, string>,
  newId: () => string
): Plan {
  const draft = new Draft(lines, newId);
  for (const [id, source] of expected) {
    draft.check(id, source);
  }
  for (const edit of edits) {
    draft.make(edit);
  }
  return draft.plan();
}

class Draft {
  readonly #before: ReadonlyMap<string, Line>;
  readonly #lines: Line[];
  readonly #newId: () => string;
  readonly #steps: Step[] = [];
  readonly #inserted = new Set<string>();
  /** Cells that an edit named, in order. */
  readonly #named = new Set<string>();

  constructor(lines: readonly Line[], newId: () => string) {
    this.#before = new Map(lines.map(line => [line.id, line]));
    this.#lines = [...lines];
    this.#newId = newId;
  }

  check(id: string, source: string): void {
    const now = this.#line(id).source;
    if (now !== source) {
      throw new Refusal('stale', `Cell ${id} has changed since it was read.`, 'Read it again, then edit it.', {
        cell_id: id,
        source: now
      });
    }
  }

  make(edit: Edit): void {
    switch (edit.edit) {
      case 'insert':
        this.#insert(this.#place(edit.after, edit.before), edit.cells);
        break;
      case 'replace':
        this.#write(edit.cell_id, edit.source, edit.cell_type);
        break;
      case 'move':
        this.#move(edit.cell_id, edit.after, edit.before);
        break;
      case 'delete':
        new Set(edit.cell_ids).forEach(id => {
          this.#delete(id);
        });
        break;
      case 'clear_outputs':
        this.#clear(edit.cell_ids);
        break;
      case 'set_outputs':
        this.#give(edit.cell_id, edit);
        break;
    }
  }

  plan(): Plan {
    const places = new Map(this.#lines.map((line, index) => [line.id, index]));
    const named = [...this.#named].filter(id => places.has(id) || this.#before.has(id));
    const cells = named.map(id => {
      const index = places.get(id) ?? null;
      const after = index === null ? null : (this.#lines[index]?.source ?? null);
      return { cell_id: id, before: this.#before.get(id)?.source ?? null, after, index };
    });
    return { steps: this.#steps, cells, inserted: [...this.#inserted].filter(id => places.has(id)) };
  }

  // -------------------------------------------------------------- one edit

  #insert(index: number, cells: readonly NewCell[]): void {
    const made = cells.map(cell => ({ ...cell, id: this.#fresh() }));
    const lines = made.map(cell => ({ ...cell, editable: true, deletable: true, busy: false }));
    this.#lines.splice(index, 0, ...lines);
    this.#steps.push({ step: 'insert', index, cells: made });
  }

  #write(id: string, source: string, kind: CellKind | null): void {
    const line = this.#line(id);
    const index = this.#lines.indexOf(line);
    if (!line.editable) {
      throw locked(id, 'editable', 'edited');
    }
    if (kind !== null && kind !== line.cell_type) {
      refuseBusy(line, 'given another type');
      this.#steps.push({ step: 'retype', index, source, cell_type: kind });
      this.#lines[index] = { ...line, source, cell_type: kind };
    } else {
      this.#steps.push({ step: 'write', index, source });
      this.#lines[index] = { ...line, source };
    }
    this.#named.add(id);
  }

  #move(id: string, after: string | null, before: string | null): void {
    const line = this.#line(id);
    if (id === after || id === before) {
      throw new Refusal('refused', `Cell ${id} cannot be moved next to itself.`);
    }
    this.#place(after, before);
    const index = this.#lines.indexOf(line);
    this.#lines.splice(index, 1);
    const to = this.#place(after, before);
    this.#lines.splice(to, 0, line);
    if (to !== index) {
      refuseBusy(line, 'moved');
      this.#steps.push({ step: 'move', index, to });
    }
    this.#named.add(id);
  }

  #delete(id: string): void {
    const line = this.#line(id);
    if (!line.deletable) {
      throw locked(id, 'deletable', 'deleted');
    }
    refuseBusy(line, 'deleted');
    const index = this.#lines.indexOf(line);
    this.#lines.splice(index, 1);
    this.#steps.push({ step: 'delete', index });
    this.#named.add(id);
  }

  #clear(ids: readonly string[] | null): void {
    const chosen = ids === null ? [...this.#lines] : [...new Set(ids)].map(id => this.#line(id));
    for (const line of chosen.filter(each => each.cell_type === 'code')) {
      if (ids !== null || !line.busy) {
        refuseBusy(line, 'cleared');
        this.#steps.push({ step: 'clear', index: this.#lines.indexOf(line) });
        this.#named.add(line.id);
      }
    }
  }

  #give(id: string, { outputs, execution_count }: Execution): void {
    const line = this.#line(id);
    if (line.cell_type !== 'code') {
      throw new Refusal('refused', `Cell ${id} is a ${line.cell_type} cell; only code cells have outputs.`);
    }
    refuseBusy(line, 'given outputs');
    this.#steps.push({ step: 'give', index: this.#lines.indexOf(line), execution: { outputs, execution_count } });
    this.#named.add(id);
  }

  // -------------------------------------------------------------- finding

  #line(id: string): Line {
    const line = this.#lines.find(each => each.id === id);
    if (!line) {
      throw new Refusal('cell_not_found', `The notebook has no cell ${id.slice(0, 64)}.`, 'Read the notebook again.', {
        cell_id: id
      });
    }
    return line;
  }

  #place(after: string | null, before: string | null): number {
    if (after !== null && before !== null) {
      throw new Refusal('refused', 'Both after and before are given.', 'Name the cell on one side only.');
    }
    if (after !== null) {
      return this.#lines.indexOf(this.#line(after)) + 1;
    }
    return before === null ? this.#lines.length : this.#lines.indexOf(this.#line(before));
  }

  /** An id that no cell of the notebook has or had. */
  #fresh(): string {
    let id = this.#newId();
    while (this.#before.has(id) || this.#inserted.has(id)) {
      id = this.#newId();
    }
    this.#inserted.add(id);
    this.#named.add(id);
    return id;
  }
}

function locked(id: string, key: string, done: string): Refusal {
  return new Refusal(
    'refused',
    `Cell ${id} must not be ${done}: its metadata says so (${key}: false).`,
    "Leave it as it is, or ask the user, who can allow it in JupyterLab's property inspector."
  );
}

/** JupyterLab would lose the outputs that are still to come. */
function refuseBusy(line: Line, done: string): void {
  if (line.busy) {
    throw new Refusal(
      'refused',
      `Cell ${line.id} is running and cannot be ${done} now.`,
      'Wait until it has ended, or interrupt the kernel.'
    );
  }
}
