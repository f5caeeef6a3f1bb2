/** What the panel needs of the place it lives in; a host gives it, the panel never looks for it. */

import type { Exported, NotebookFocus, Question } from './protocol';

/** Translation, in the shape of JupyterLab's bundles: `%1`, `%2` … are filled in. */
export interface Trans {
  __(text: string, ...values: (string | number)[]): string;
  _n(one: string, many: string, count: number, ...values: (string | number)[]): string;
}

/** What the next question would be about, for the eye. `cell` counts from 1; `selected` is in characters. */
export interface Subject {
  readonly name: string;
  readonly cell: number;
  readonly selected: number;
}

/** What of a subject can be left out of a question. */
export type Part = 'notebook' | 'cell' | 'selection';

/** A stretch of highlighted code. `className` is empty for plain text. */
export interface Piece {
  readonly text: string;
  readonly className: string;
}

/** What can be done with code from an answer: a new cell below the active one, its text in place, or a new cell run. */
export type CellUse = 'insert' | 'replace' | 'run';

/** Where code from an answer can go. */
export interface CellPlace {
  /** Why that cannot be done now; empty when it can. */
  obstacle(use: CellUse): string;
  /** Does it, as one step that can be undone; gives the obstacle if there was one. */
  put(use: CellUse, code: string, language: string): Promise<string>;
}

/** How much of an answer a screen reader is told: that it is ready, all of it in the end, or sentence by sentence. */
export type Announce = 'ready' | 'full' | 'sentences';

export interface Host {
  /** The open notebook's cells; a host without any has none. */
  readonly cells?: CellPlace;
  readonly trans: Trans;
  /** What is open now; null without a notebook. */
  subject(): Subject | null;
  /** Calls back whenever `subject()` may have changed, until the signal. */
  onSubject(listener: () => void, signal: AbortSignal): void;
  /** The first cell of the notebook that ended in an error, counted from 1; 0 for none. */
  failingCell(): number;
  /** The notebook as it goes with a question: where the user is, and what is not saved. */
  notebook(): NotebookFocus | null;
  openCell(path: string, cell_id: string): void;
  copy(text: string): Promise<void>;
  /** Gives the user a file; the page stays. */
  save(file: Exported): void;
  highlight(code: string, language: string): Promise<readonly Piece[]>;
  /** Sets the TeX in an element (`\(…\)`, `\[…\]`) as formulas; a host that cannot leaves its source to be read. */
  typeset?(el: HTMLElement): Promise<void>;
  /** How answers are announced; may change at any time, so that it is asked each time. */
  announce(): Announce;
  /** Opens the host's own settings of the assistant; a host without any has none. */
  readonly preferences?: (() => void) | undefined;
  /** The conversation to show after a reload; empty for none. */
  recall(): string;
  remember(conversation_id: string): void;
  /** The question that was sent in this window before a reload and whose conversation is not known yet. */
  recallQuestion(): Question | null;
  rememberQuestion(question: Question | null): void;
  /** What this window's user leaves out of the questions. */
  recallLeft(): readonly Part[];
  rememberLeft(left: readonly Part[]): void;
  /** What was typed in a conversation and not sent, also before a reload; the empty id is a new conversation's. */
  recallDraft(conversation_id: string): string;
  rememberDraft(conversation_id: string, text: string): void;
}

/** No translation: the English text with its values. */
export const ENGLISH: Trans = {
  __: (text, ...values) => text.replace(/%(\d)/g, (_, digit: string) => String(values[Number(digit) - 1] ?? '')),
  _n: (one, many, count, ...values) => ENGLISH.__(count === 1 ? one : many, count, ...values)
};
