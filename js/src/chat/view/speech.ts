/**
 * An answer as it is heard: its Markdown as plain sentences, and what is said of it in the end; pure.
 *
 * The law: what was said is not said again, half a sentence is not said at all, and of code only that it is there.
 */

import type { MarkedToken, Token, Tokens } from 'marked';
import type { Answer } from '../conversation';
import type { Trans } from '../host';
import type { Parsed } from '../markdown/blocks';
import { advance, EMPTY } from '../markdown/blocks';
import { decoded } from '../markdown/entities';
import { languageName } from '../markdown/fence';
import { ending } from './summary';

const FENCE = /^[ \t>]*(`{3,}|~{3,})[^\n]*$/gm;
const SENTENCE_END = /[.!?…]["'”’»)\]]*(?=\s)|[。！？]/g;

/** How far an answer has been heard: whole blocks, and characters of the plain text of the next one. */
export interface Heard {
  readonly parsed: Parsed;
  readonly blocks: number;
  readonly chars: number;
}

export const UNHEARD: Heard = { parsed: EMPTY, blocks: 0, chars: 0 };

/** The sentences that have come since `before`, and how far that is. `whole` once no more text will come. */
export function hear(before: Heard, text: string, whole: boolean, trans: Trans): { said: string; heard: Heard } {
  const parsed = advance(before.parsed, text, whole);
  const done = parsed.committed.slice(before.blocks).map(block => spoken(block.token, trans));
  const begun = done.length ? 0 : before.chars;
  const next = parsed.tail[0]?.token;
  const open = next?.type === 'paragraph' ? spoken(next, trans) : '';
  const end = Math.max(begun, sentenceEnd(open));
  const said = [...done.map((block, index) => (index ? block : block.slice(before.chars))), open.slice(begun, end)];
  return {
    said: joined(said),
    heard: { parsed, blocks: Math.max(before.blocks, parsed.committed.length), chars: end }
  };
}

/** The whole of an answer's text in plain words. */
export function aloud(text: string, trans: Trans): string {
  return hear(UNHEARD, text, true, trans).said;
}

/** What is said once an answer has ended: how, or how long it is. */
export function result(answer: Answer, trans: Trans): string {
  const blocks = Math.ceil((answer.text.match(FENCE)?.length ?? 0) / 2);
  const words = answer.text.split(/\s+/).filter(Boolean).length;
  const size = [
    trans._n('Answer ready, %1 word', 'Answer ready, %1 words', words),
    blocks ? trans._n('%1 code block', '%1 code blocks', blocks) : ''
  ];
  return ending(answer, trans) || size.filter(Boolean).join(', ');
}

function sentenceEnd(text: string): number {
  const last = Array.from(text.matchAll(SENTENCE_END)).at(-1);
  return last ? last.index + last[0].length : 0;
}

function joined(parts: readonly string[]): string {
  return parts
    .map(part => part.trim())
    .filter(Boolean)
    .join('\n');
}

/** A token in plain words. */
function spoken(generic: Token, trans: Trans): string {
  const token = generic as MarkedToken;
  switch (token.type) {
    case 'code':
      return code(token, trans);
    case 'list':
      return joined(token.items.map(item => all(item.tokens, trans, '\n')));
    case 'blockquote':
      return all(token.tokens, trans, '\n');
    case 'table':
      return joined([token.header, ...token.rows].map(row => row.map(cell => all(cell.tokens, trans)).join(', ')));
    case 'image':
      return trans.__('Image: %1', decoded(token.text));
    case 'br':
      return '\n';
    case 'checkbox':
      return token.checked ? trans.__('Done: ') : trans.__('To do: ');
    case 'hr':
    case 'space':
    case 'def':
      return '';
    case 'codespan':
    case 'escape':
      return token.text;
    case 'html':
      return token.raw;
    default:
      return inline(generic, trans);
  }
}

function inline(token: Token, trans: Trans): string {
  const { tokens } = token as { readonly tokens?: readonly Token[] };
  if (tokens?.length) {
    return all(tokens, trans);
  }
  return 'text' in token ? decoded(String(token.text)) : token.raw;
}

function all(tokens: readonly Token[], trans: Trans, between = ''): string {
  return tokens.map(token => spoken(token, trans)).join(between);
}

function code({ text, lang }: Tokens.Code, trans: Trans): string {
  const lines = text.split('\n').length;
  return trans._n('Code block, %2, %1 line.', 'Code block, %2, %1 lines.', lines, languageName(lang ?? '') || 'text');
}
