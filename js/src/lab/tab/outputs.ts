/**
 * Outputs that were made elsewhere, shown in a cell of an open notebook; what differs is decided by pure functions.
 *
 * The law: what a cell shows already stays as it is, so that outputs which grow do not flicker; in the end the cell has
 * exactly the outputs that were given.
 */

import type { ICodeCellModel } from '@jupyterlab/cells';
import type { IOutput } from '@jupyterlab/nbformat';
import type { ReadonlyJSONObject } from '@lumino/coreutils';
import { JSONExt } from '@lumino/coreutils';
import type { Execution, Json } from './wire';

/** One thing to do to the list of outputs, in order. */
export type Move =
  | { readonly move: 'print'; readonly index: number; readonly text: string }
  | { readonly move: 'set'; readonly index: number; readonly output: Json }
  | { readonly move: 'add'; readonly output: Json };

/** What makes `now` of `old`; null where all must be put in anew. */
export function moves(old: readonly Json[], now: readonly Json[]): readonly Move[] | null {
  if (now.length < old.length) {
    return null;
  }
  const made: Move[] = [];
  for (const [index, output] of now.entries()) {
    const before = old[index];
    if (before && before['output_type'] !== output['output_type']) {
      return null;
    }
    if (!before || !same(before, output)) {
      made.push(before ? changed(before, output, index) : { move: 'add', output });
    }
  }
  return made;
}

function changed(before: Json, output: Json, index: number): Move {
  const [old, now] = [printed(before), printed(output)];
  if (old !== null && now?.startsWith(old) && before['name'] === output['name']) {
    return { move: 'print', index, text: now.slice(old.length) };
  }
  return { move: 'set', index, output };
}

/** The text of a stream, null for anything else. */
function printed({ output_type, text }: Json): string | null {
  return output_type === 'stream' && typeof text === 'string' ? text : null;
}

function same(one: Json, other: Json): boolean {
  return JSONExt.deepEqual(one as ReadonlyJSONObject, other as ReadonlyJSONObject);
}

/** Puts what a run gave it into a cell, as a run in JupyterLab does: it cannot be undone. */
export function show(cell: ICodeCellModel, { outputs, execution_count }: Execution): void {
  const now = outputs.map(joined);
  const steps = moves(cell.outputs.toJSON(), now);
  if (steps) {
    steps.forEach(step => {
      take(cell, step);
    });
  } else {
    cell.outputs.fromJSON(now as unknown as IOutput[]);
  }
  cell.executionCount = execution_count;
}

function take({ outputs }: ICodeCellModel, step: Move): void {
  if (step.move === 'add') {
    outputs.add(step.output as unknown as IOutput);
  } else if (step.move === 'set') {
    outputs.set(step.index, step.output as unknown as IOutput);
  } else {
    const printed = outputs.get(step.index).streamText;
    printed?.insert(printed.text.length, step.text);
  }
}

/** A stream's text may be a list of lines, which JupyterLab would join with newlines of its own. */
function joined(output: Json): Json {
  const { text } = output;
  return Array.isArray(text) ? { ...output, text: text.join('') } : output;
}
