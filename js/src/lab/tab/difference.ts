/**
 * The smallest changes that make one text of another, line by line and then within the lines; pure.
 *
 * The law: what both texts share stays untouched, so that a cursor in it stays where it is; no change begins or ends
 * inside a surrogate pair, which the shared text could not keep.
 */

/** The characters from `start` to before `end` become `text`. */
export interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Lines times lines above which the middle counts as changed whole. */
const MOST = 250_000;

/** In order, of the text as it is `before`: to be made from the last to the first. */
export function splices(before: string, after: string): readonly Splice[] {
  const whole = narrowed({ start: 0, end: before.length, text: after }, before);
  if (whole.start === whole.end && !whole.text) {
    return [];
  }
  const [from, to] = [lineStart(before, whole.start), lineEnd(before, whole.end)];
  const tail = before.length - to;
  const [old, made] = [before.slice(from, to), after.slice(from, after.length - tail)];
  const changed = hunks(lines(old), lines(made)).map(each => ({
    ...each,
    start: each.start + from,
    end: each.end + from
  }));
  return changed.map(each => narrowed(each, before));
}

/** Without what both begin and end with. */
function narrowed({ start, end, text }: Splice, before: string): Splice {
  let [head, tail] = [0, 0];
  const most = Math.min(end - start, text.length);
  while (head < most && before[start + head] === text[head]) {
    head++;
  }
  if (head > 0 && isHigh(text, head - 1)) {
    head--;
  }
  while (tail < most - head && before[end - 1 - tail] === text[text.length - 1 - tail]) {
    tail++;
  }
  if (tail > 0 && isLow(text, text.length - tail)) {
    tail--;
  }
  return { start: start + head, end: end - tail, text: text.slice(head, text.length - tail) };
}

function isHigh(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xd800;
}

function isLow(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xdc00;
}

function lineStart(text: string, at: number): number {
  return at === 0 ? 0 : text.lastIndexOf('\n', at - 1) + 1;
}

function lineEnd(text: string, at: number): number {
  const found = text.indexOf('\n', at);
  return found < 0 ? text.length : found + 1;
}

/** With their line ends. */
function lines(text: string): readonly string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** By the longest common subsequence of the lines. */
function hunks(old: readonly string[], made: readonly string[]): readonly Splice[] {
  if (old.length * made.length > MOST) {
    return [{ start: 0, end: size(old), text: made.join('') }];
  }
  const common = lengths(old, made);
  const found: Splice[] = [];
  let [i, j, at] = [0, 0, 0];
  let open: { start: number; end: number; text: string } | null = null;
  while (i < old.length || j < made.length) {
    const [line = '', other = ''] = [old[i], made[j]];
    if (i < old.length && j < made.length && line === other) {
      open = null;
      at += line.length;
      i++;
      j++;
      continue;
    }
    if (!open) {
      open = { start: at, end: at, text: '' };
      found.push(open);
    }
    if (j === made.length || (i < old.length && (common[i + 1]?.[j] ?? 0) >= (common[i]?.[j + 1] ?? 0))) {
      at += line.length;
      open.end = at;
      i++;
    } else {
      open.text += other;
      j++;
    }
  }
  return found;
}

function size(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + line.length, 0);
}

/** How many lines the rest from `i` and from `j` on have in common. */
function lengths(old: readonly string[], made: readonly string[]): readonly Uint32Array[] {
  const table = Array.from({ length: old.length + 1 }, () => new Uint32Array(made.length + 1));
  for (let i = old.length - 1; i >= 0; i--) {
    const [row, below] = [table[i], table[i + 1]];
    for (let j = made.length - 1; row && below && j >= 0; j--) {
      row[j] = old[i] === made[j] ? (below[j + 1] ?? 0) + 1 : Math.max(below[j] ?? 0, row[j + 1] ?? 0);
    }
  }
  return table;
}
