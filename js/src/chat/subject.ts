/**
 * What the next question is about, without the parts its user has left out; pure.
 *
 * The law: a part that is left out goes nowhere: not with the question, not into its preview, not into a suggestion.
 * Without the notebook there is neither a cell nor a selection.
 */

import type { Part, Subject } from './host';
import type { NotebookFocus } from './protocol';

const PARTS: readonly Part[] = ['notebook', 'cell', 'selection'];

/** The parts among values of any kind, as they were kept over a reload. */
export function parts(values: unknown): Part[] {
  return Array.isArray(values) ? PARTS.filter(part => values.includes(part)) : [];
}

/** What goes with a question. */
export function narrowed(focus: NotebookFocus | null, left: readonly Part[]): NotebookFocus | null {
  if (!focus || left.includes('notebook')) {
    return null;
  }
  const { cell_id, selection, ...rest } = focus;
  return {
    ...rest,
    ...(cell_id !== undefined && !left.includes('cell') ? { cell_id } : {}),
    ...(selection !== undefined && !left.includes('selection') ? { selection } : {})
  };
}

/** What that is, for the eye. */
export function about(subject: Subject | null, left: readonly Part[]): Subject | null {
  if (!subject || left.includes('notebook')) {
    return null;
  }
  return {
    ...subject,
    cell: left.includes('cell') ? 0 : subject.cell,
    selected: left.includes('selection') ? 0 : subject.selected
  };
}
