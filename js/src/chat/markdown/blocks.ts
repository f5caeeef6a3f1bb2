/**
 * Markdown that grows, as blocks: all but the last are committed and never looked at again, only the tail is lexed.
 *
 * The law: a committed block keeps its identity, so that its nodes are never painted again; and in the end the blocks
 * are those of one full pass, whatever was committed on the way.
 */

import type { Links, MarkedOptions, MarkedToken, Token } from 'marked';
import { Lexer, Tokenizer } from 'marked';
import { maskMath, mathExtensions } from './math';

/** One block. `settled` when no later text can change it. */
export interface Block {
  readonly token: Token;
  readonly settled: boolean;
}

export interface Parsed {
  /** The text these blocks are of, line ends as LF. */
  readonly text: string;
  readonly whole: boolean;
  readonly committed: readonly Block[];
  readonly tail: readonly Block[];
  /** How much of the text the committed blocks cover. */
  readonly covered: number;
  /** Definitions in the committed blocks. */
  readonly links: Links;
  /** Whether a definition was ever seen, even one that turned out to be another: then brackets are looked at again. */
  readonly linked: boolean;
}

export const EMPTY: Parsed = { text: '', whole: false, committed: [], tail: [], covered: 0, links: {}, linked: false };

/** Nesting and emphasis beyond this is not meant to be read: it is shown as it is written, which takes linear time. */
const DEEPEST = 16;
const MOST_DELIMITERS = 250;
const LONGEST_INLINE = 100_000;
const LONGEST_TAIL = 100_000;
const LONGEST_HEADING = 4_000;

/** A heading with a line under it is looked for in bounds: marked's own search goes through all that follows. */
class BoundedTokenizer extends Tokenizer {
  override lheading(src: string): ReturnType<Tokenizer['lheading']> {
    return super.lheading(src.slice(0, LONGEST_HEADING));
  }
}

const HOOKS = { emStrongMask: maskMath } as unknown as NonNullable<MarkedOptions['hooks']>;

/** How answers are read; `whole` once no more text will come. */
export function lexing(whole: boolean): MarkedOptions {
  return {
    gfm: true,
    breaks: true,
    pedantic: false,
    async: false,
    extensions: mathExtensions(whole),
    hooks: HOOKS,
    tokenizer: new BoundedTokenizer()
  };
}

/** marked's lexer with bounds, so that no text takes more than linear time or a deep stack. */
class BoundedLexer extends Lexer {
  #depth = 0;

  override blockTokens(
    src: string,
    tokens?: Token[],
    lastParagraphClipped?: boolean
  ): ReturnType<Lexer['blockTokens']> {
    if (this.#depth >= DEEPEST) {
      return literal(src, tokens) as ReturnType<Lexer['blockTokens']>;
    }
    this.#depth++;
    try {
      return super.blockTokens(src, tokens, lastParagraphClipped) as ReturnType<Lexer['blockTokens']>;
    } finally {
      this.#depth--;
    }
  }

  override inlineTokens(src: string, tokens?: Token[]): Token[] {
    if (this.#depth >= DEEPEST || src.length > LONGEST_INLINE || tooDense(src)) {
      return literal(src, tokens);
    }
    this.#depth++;
    try {
      return super.inlineTokens(src, tokens);
    } finally {
      this.#depth--;
    }
  }
}

function tooDense(src: string): boolean {
  return src.length > MOST_DELIMITERS && (src.match(/[*_~[`<$]/g)?.length ?? 0) > MOST_DELIMITERS;
}

function literal(src: string, tokens: Token[] = []): Token[] {
  tokens.push({ type: 'text', raw: src, text: src, escaped: true });
  return tokens;
}

function lex(text: string, links: Links, whole: boolean): { tokens: Token[]; links: Links } {
  const lexer = new BoundedLexer(lexing(whole));
  Object.assign(lexer.tokens.links, links);
  try {
    const tokens = lexer.lex(text);
    return { tokens, links: tokens.links };
  } catch {
    return { tokens: literal(text), links };
  }
}

const visible = (token: Token): boolean => token.type !== 'space' && token.type !== 'def';

/** The index of the first token that later text could still change: the last but one that is not blank. */
function firstOpen(tokens: readonly Token[]): number {
  const last = tokens.findLastIndex(token => token.type !== 'space');
  return Math.max(0, last < 0 ? 0 : tokens.slice(0, last).findLastIndex(token => token.type !== 'space'));
}

/** A line at the end that may become a table's head, and what has come of the line below it. */
const MAYBE_HEAD = /(?:^|\n)( {0,3}\|[^\n]*(?:\n[ \t|:-]*)?)$/;

/** How much at the end is held back: until it is known to be a table, it would stand there as raw text and then jump. */
function undecided(tokens: readonly Token[]): number {
  const last = tokens.at(-1);
  return last?.type === 'paragraph' ? (MAYBE_HEAD.exec(last.raw)?.[1]?.length ?? 0) : 0;
}

/** The same blocks again where nothing changed, so that they keep their identity. */
function kept(before: readonly Block[], tokens: readonly Token[], settled: boolean, sameLinks: boolean): Block[] {
  return tokens.filter(visible).map((token, index) => {
    const old = before[index];
    return old && same(old, token, sameLinks) && (old.settled || !settled) ? old : { token, settled };
  });
}

/** A block's own text decides, and links defined elsewhere. Where its blank lines are counted depends on the cut. */
function same(old: Block, token: Token, sameLinks: boolean): boolean {
  const raw = (text: string): string => (old.settled ? text.replace(/\n+$/, '') : text);
  const equal = old.token.type === token.type && raw(old.token.raw) === raw(token.raw);
  return equal && (sameLinks || !token.raw.includes('['));
}

/** Lexed but for what is held back. */
function decided(rest: string, links: Links): ReturnType<typeof lex> {
  const all = lex(rest, links, false);
  const held = undecided(all.tokens);
  return held ? lex(rest.slice(0, rest.length - held), links, false) : all;
}

function grown(before: Parsed, text: string): Parsed {
  const rest = text.slice(before.covered);
  if (before.text.length - before.covered > LONGEST_TAIL && !/^ {0,3}(`{3}|~{3})/.test(rest)) {
    const token: Token = { type: 'text', raw: rest, text: rest, escaped: true };
    return { ...before, text, tail: [{ token, settled: false }] };
  }
  const { tokens, links } = decided(rest, before.links);
  const open = firstOpen(tokens);
  const done = tokens.slice(0, open);
  const linked = before.linked || Object.keys(links).length > 0;
  const fresh = kept(before.tail, done, true, !linked);
  return {
    text,
    whole: false,
    committed: fresh.length ? [...before.committed, ...fresh] : before.committed,
    tail: kept(before.tail.slice(fresh.length), tokens.slice(open), false, !linked),
    covered: before.covered + done.reduce((length, token) => length + token.raw.length, 0),
    links: defined(before.links, done),
    linked
  };
}

/** The first definition of a name holds. */
function defined(before: Links, tokens: readonly Token[]): Links {
  const fresh = (tokens as MarkedToken[]).flatMap(token =>
    token.type === 'def' ? [[token.tag, { href: token.href, title: token.title }] as const] : []
  );
  return fresh.length ? { ...Object.fromEntries(fresh.toReversed()), ...before } : before;
}

function complete(before: Parsed, text: string): Parsed {
  const { tokens, links } = lex(text, {}, true);
  const linked = before.linked || Object.keys(links).length > 0;
  const committed = kept([...before.committed, ...before.tail], tokens, true, !linked);
  return { text, whole: true, committed, tail: [], covered: text.length, links, linked };
}

/** What to look at: LF line ends; a CR at the very end may be half of a line end and waits. */
function normal(text: string, whole: boolean): string {
  if (!text.includes('\r')) {
    return text;
  }
  return (!whole && text.endsWith('\r') ? text.slice(0, -1) : text).replace(/\r\n?/g, '\n');
}

/** The blocks of a text that has grown since `before`, or of another text. `whole` once no more will come. */
export function advance(before: Parsed, raw: string, whole: boolean): Parsed {
  const text = normal(raw, whole);
  if (text === before.text && whole === before.whole) {
    return before;
  }
  const from = text.startsWith(before.text) && !before.whole ? before : EMPTY;
  return whole ? complete(from, text) : grown(from, text);
}
