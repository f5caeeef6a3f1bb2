/** Code blocks in Markdown: which are complete, and which came last; pure. */

import type { MarkedToken, Token } from 'marked';
import { advance, EMPTY } from './blocks';

export interface Code {
  readonly text: string;
  /** In lower case; empty when its fence names none. */
  readonly language: string;
}

/** A language's name as a fence gives it: its first word, nothing but what names have. */
export function languageName(info: string): string {
  return (/^[\w+#.-]{1,24}/.exec(info)?.[0] ?? '').toLowerCase();
}

/** Whether a code block's fence is closed: its last line has as many ticks as its first, and nothing else. */
export function fenceClosed(raw: string): boolean {
  const opening = /^ {0,3}(`{3,}|~{3,})/.exec(raw)?.[1];
  const closing = /\n {0,3}(`{3,}|~{3,})[ \t]*\n*$/.exec(raw)?.[1];
  return opening !== undefined && (closing?.startsWith(opening) ?? false);
}

/** The last code block of a text whose fence is closed, in lists and quotes too; null without one. */
export function lastCode(text: string): Code | null {
  return text.includes('```') || text.includes('~~~')
    ? lastOf(advance(EMPTY, text, true).committed.map(block => block.token))
    : null;
}

function lastOf(tokens: readonly Token[]): Code | null {
  for (const generic of tokens.toReversed()) {
    const token = generic as MarkedToken;
    const found = token.type === 'code' ? code(token) : lastOf(inside(token));
    if (found) {
      return found;
    }
  }
  return null;
}

function code(token: Extract<MarkedToken, { type: 'code' }>): Code | null {
  return fenceClosed(token.raw) ? { text: token.text, language: languageName(token.lang ?? '') } : null;
}

function inside(token: MarkedToken): readonly Token[] {
  if (token.type === 'list') {
    return token.items;
  }
  return token.type === 'list_item' || token.type === 'blockquote' ? token.tokens : [];
}
