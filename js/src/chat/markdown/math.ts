/**
 * Formulas in Markdown: `$…$`, `$$…$$`, `\(…\)`, `\[…\]`, display environments; pure.
 *
 * The law: an amount of money is text, what is inside of code is code, and a formula ends at a blank line, as TeX's do.
 */

import type { Lexer, MarkedOptions, Token } from 'marked';

/** A formula as Markdown's tokens have it; `text` is what it says where only text is wanted. */
export interface MathToken {
  readonly type: 'math';
  readonly raw: string;
  readonly text: string;
  readonly tex: string;
  readonly display: boolean;
}

type Extensions = NonNullable<MarkedOptions['extensions']>;

/** Bounds for the search of an end, so that no text takes more than linear time. */
const LONGEST_LINE = 1_000;
const LONGEST = 4_000;

const ENVIRONMENTS = 'equation|align|alignat|gather|multline|eqnarray|flalign';
const BLOCK = new RegExp(`^ {0,3}(\\$\\$|\\\\\\[|\\\\begin\\{((?:${ENVIRONMENTS})\\*?)\\})`);
const BLOCK_LATER = new RegExp(`\\n(?= {0,3}(?:\\$\\$|\\\\\\[|\\\\begin\\{(?:${ENVIRONMENTS})))`, 'g');
const BLANK = /\n[ \t]*\n/;
const INLINE = /\$|\\[([]/;
const SYMBOLS = /[\\^_={}+*<>|]/;
/** What begins as an amount does: digits, a unit of money's kind, and then words. */
const AMOUNT = /^\d[\d.,]*(?:[kKmMbB]|\s*(?:million|billion))?(?:[\s/–—-]|$)/;
/** Brackets and doubled dollars around nothing but words are what they look like. */
const WORDS = /^[\p{L}\s.,;:!?'"-]*\p{L}{2}[\p{L}\s.,;:!?'"-]*$/u;

function found(raw: string, tex: string, display: boolean): MathToken | null {
  const text = raw.trim();
  return tex.trim() ? { type: 'math', raw, text, tex: tex.trim(), display } : null;
}

/** Where the first blank line is, or where looking for it ends. */
function paragraphEnd(src: string): number {
  const blank = src.slice(0, LONGEST).search(BLANK);
  return blank < 0 ? Math.min(src.length, LONGEST) : blank;
}

/** Where the closing delimiter is, escaped characters skipped; -1 without. */
function closing(text: string, delimiter: string, from: number, to: number): number {
  for (let at = from; at < to; at++) {
    if (text.startsWith(delimiter, at)) {
      return at;
    }
    if (text[at] === '\\') {
      at++;
    }
  }
  return -1;
}

/** The formula that stands by itself at the beginning; one that has only begun reaches to the end, unless `whole`. */
export function blockMath(src: string, whole: boolean): MathToken | null {
  const [opening, delimiter = '', environment] = BLOCK.exec(src) ?? [];
  if (opening === undefined) {
    return null;
  }
  const to = paragraphEnd(src);
  const end = environment ? `\\end{${environment}}` : delimiter === '$$' ? '$$' : '\\]';
  const at = environment ? src.slice(0, to).indexOf(end) : closing(src, end, opening.length, to);
  if (at < 0) {
    return whole || to < src.length ? null : found(src, src.slice(opening.length) || src, true);
  }
  const rest = /^[ \t]*(?:\n|$)/.exec(src.slice(at + end.length));
  const raw = src.slice(0, at + end.length);
  return rest ? found(raw + rest[0], environment ? raw : src.slice(opening.length, at), true) : null;
}

/** The formula at the beginning of a line's rest; `before` is the character in front of it. */
export function inlineMath(src: string, before: string): MathToken | null {
  if (src.startsWith('$$')) {
    return before === '$' ? null : delimited(src, '$$', '$$', true);
  }
  if (src.startsWith('\\(')) {
    return delimited(src, '\\(', '\\)', false);
  }
  if (src.startsWith('\\[')) {
    return delimited(src, '\\[', '\\]', true);
  }
  return src.startsWith('$') && !/[\p{L}\p{N}$\\]/u.test(before) ? dollars(src) : null;
}

function delimited(src: string, open: string, close: string, display: boolean): MathToken | null {
  const at = closing(src, close, open.length, paragraphEnd(src));
  const tex = src.slice(open.length, at);
  return at < 0 || WORDS.test(tex) ? null : found(src.slice(0, at + close.length), tex, display);
}

/** Between single dollars: tight on both sides, on one line, and neither an amount nor a shell's variable. */
function dollars(src: string): MathToken | null {
  const line = src.slice(1, LONGEST_LINE).search(/[\n`]/);
  const at = closing(src, '$', 1, line < 0 ? Math.min(src.length, LONGEST_LINE) : line + 1);
  const [tex, after] = [src.slice(1, at), src[at + 1] ?? ''];
  if (at < 2 || /^\s|\s$/.test(tex) || /\d/.test(after)) {
    return null;
  }
  const symbols = SYMBOLS.test(tex);
  const amount = !symbols && AMOUNT.test(tex) && /\D/.test(tex);
  const variable = /\p{L}/u.test(after) && !symbols && tex.length > 1;
  return amount || variable ? null : found(src.slice(0, at + 1), tex, false);
}

const lastCharacter = (tokens: readonly Token[]): string => tokens.at(-1)?.raw.at(-1) ?? '';

/** Where a paragraph ends because a formula by itself begins; undefined if it does not. */
function startsLater(src: string, whole: boolean): number | undefined {
  for (const { index } of src.slice(0, paragraphEnd(src)).matchAll(BLOCK_LATER)) {
    if (blockMath(src.slice(index + 1), whole)) {
      return index;
    }
  }
  return undefined;
}

/** Where the next formula in a line could begin; each stretch of text is looked through once. */
function nextInline(): (src: string) => number | undefined {
  let [run, fromEnd] = ['', 0];
  return src => {
    if (!run.endsWith(src) || fromEnd > src.length) {
      const at = src.search(INLINE);
      [run, fromEnd] = [src, at < 0 ? 0 : src.length - at];
    }
    return fromEnd ? src.length - fromEnd : undefined;
  };
}

/** What marked's lexer needs to know formulas; `whole` once no more text will come. */
export function mathExtensions(whole: boolean): Extensions {
  return {
    renderers: {},
    childTokens: {},
    block: [src => blockMath(src, whole) ?? undefined],
    startBlock: [src => startsLater(src, whole)],
    inline: [
      function (this: { lexer: Lexer }, src: string, tokens?: Token[]) {
        return inlineMath(src, lastCharacter(tokens ?? [])) ?? undefined;
      }
    ],
    startInline: [nextInline()]
  };
}

/** The text with its formulas hidden from emphasis, character for character. */
export function maskMath(masked: string): string {
  if (!masked.includes('$')) {
    return masked;
  }
  let out = '';
  for (let at = 0; at < masked.length;) {
    const next = masked.indexOf('$', at);
    const math = next < 0 ? null : inlineMath(masked.slice(next), masked[next - 1] ?? '');
    const end = next < 0 ? masked.length : next + (math?.raw.length ?? 1);
    out += masked.slice(at, math ? next : end) + (math ? 'a'.repeat(math.raw.length) : '');
    at = end;
  }
  return out;
}

/** What could leave its formula: links, styles, names, tooltips, other code, or definitions that outlive it. */
const REFUSED = new Set(
  (
    'href url class style cssId data htmlData mmlToken bbox action toggle mathtip texttip tooltip includegraphics unicode ' +
    'require autoload def gdef edef xdef let futurelet global long newcommand renewcommand providecommand ' +
    'newenvironment renewenvironment Newextarrow DeclareMathOperator DeclarePairedDelimiter DeclarePairedDelimiters ' +
    'DeclarePairedDelimiterX DeclarePairedDelimiterXPP DeclareMathSymbol definecolor mathtoolsset newtagform ' +
    'renewtagform usetagform setOptions ref eqref csname input include write special begingroup endgroup'
  ).split(' ')
);
const DEEPEST = 50;

function depth(tex: string): number {
  let [now, most] = [0, 0];
  for (const brace of tex.match(/\\.|[{}]/gs) ?? []) {
    now += brace === '{' ? 1 : brace === '}' ? -1 : 0;
    most = Math.max(most, now);
  }
  return most;
}

/** TeX that may be set as a formula, labels left out; null for what is shown as it is written. */
export function typesettable(tex: string): string | null {
  const names = tex.match(/\\[a-zA-Z]+/g) ?? [];
  if (tex.length > LONGEST || depth(tex) > DEEPEST || names.some(name => REFUSED.has(name.slice(1)))) {
    return null;
  }
  return tex.replace(/\\label\s*\{[^{}]*\}/g, '').replace(/\n[ \t]*(?=\n)/g, '');
}
