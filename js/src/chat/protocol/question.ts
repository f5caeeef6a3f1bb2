/** What is asked: a question with where the user is, and the exact request it would make. */

import type { ContextItem } from './events';
import { contextItem } from './events';
import { list, number, object, text } from './json';

/** The longest question, in characters (code points, as the server counts). */
export const QUESTION_CHARS = 32_000;

/** A cell that differs from the saved file; `outputs` (nbformat) only where they differ too. */
export interface UnsavedCell {
  readonly id: string;
  readonly cell_type: string;
  readonly source: string;
  readonly outputs?: readonly unknown[];
}

export interface NotebookFocus {
  readonly path: string;
  readonly cell_id?: string;
  readonly selection?: string;
  readonly unsaved?: readonly UnsavedCell[];
  readonly order?: readonly string[];
}

export interface Question {
  readonly question: string;
  readonly conversation_id?: string;
  readonly notebook?: NotebookFocus;
  readonly request_id: string;
}

export interface PreviewItem extends ContextItem {
  readonly tokens: number;
  readonly redacted: number;
  readonly text: string;
}

/** The exact request a question would make. */
export interface Preview {
  readonly items: readonly PreviewItem[];
  readonly left_out: readonly ContextItem[];
  readonly tokens: number;
  readonly budget: number;
}

/** A question as it was kept over a reload; null when it is none. */
export function question(value: unknown): Question | null {
  const json = object(value);
  const [asked, request_id, notebook] = [text(json['question']), text(json['request_id']), object(json['notebook'])];
  const [path, cell_id] = [text(notebook['path']), text(notebook['cell_id'])];
  if (!asked || !request_id) {
    return null;
  }
  return { question: asked, request_id, ...(path ? { notebook: { path, ...(cell_id ? { cell_id } : {}) } } : {}) };
}

/** The answer of `POST preview`. */
export function preview(value: unknown): Preview {
  const json = object(value);
  return {
    items: list(json['items']).map(item => ({
      ...contextItem(item),
      tokens: number(object(item)['tokens']),
      redacted: number(object(item)['redacted']),
      text: text(object(item)['text'])
    })),
    left_out: list(json['left_out']).map(contextItem),
    tokens: number(json['tokens']),
    budget: number(json['budget'])
  };
}
