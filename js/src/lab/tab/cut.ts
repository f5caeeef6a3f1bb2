/**
 * Outputs made small enough to travel; pure.
 *
 * The law: what is left out is counted and said, and the notebook's own outputs are never touched.
 */

import type { IMimeBundle, IOutput } from '@jupyterlab/nbformat';

/** Characters up to which a text travels whole, and those that it keeps of either end when it is longer. */
const WHOLE = 20_000;
const [HEAD, TAIL] = [2_000, 4_000];
/** Pictures whose first bytes tell how large they are. */
const MEASURED: readonly string[] = ['image/png', 'image/jpeg', 'image/gif'];

/** Characters of one payload that travel when a cell's outputs are asked for whole, and of a stream's end else. */
export const MOST_PAYLOAD = 8_000_000;
const LAST = 100_000;

/** Characters of one cell's outputs that travel while it runs. */
export const MOST_RUNNING = 1_000_000;

/** A name (mime type, `text`, `traceback`) with the length of what was cut under it. */
type Lengths = Record<string, number>;

/** Text of nbformat: a string, or its lines. */
export function joined(value: unknown): string {
  return Array.isArray(value) ? value.join('') : typeof value === 'string' ? value : '';
}

function length(value: unknown): number {
  return typeof value === 'object' && !Array.isArray(value) ? JSON.stringify(value).length : joined(value).length;
}

// ---------------------------------------------------------------- a digest's worth

/** What a reader of the notebook is shown: both ends of texts, the types of everything else. */
export function trimmed(outputs: readonly IOutput[]): readonly IOutput[] {
  return outputs.map(output => slim(output, ends, payload));
}

/** Nothing but the types, for notebooks that are too large even so. */
export function emptied(outputs: readonly IOutput[]): readonly IOutput[] {
  return outputs.map(output =>
    slim(
      output,
      () => '',
      () => ''
    )
  );
}

type Text = (text: string) => string;
type Payload = (mime: string, value: unknown) => unknown;

function slim(output: IOutput, cut: Text, cutPayload: Payload): IOutput {
  const chars: Lengths = {};
  const text = (name: string, value: unknown): unknown => {
    const whole = joined(value);
    return noted(chars, name, whole, cut(whole)) ?? value;
  };
  switch (output.output_type) {
    case 'stream':
      return withNote({ ...output, text: text('text', output.text) } as IOutput, chars);
    case 'error': {
      const whole = (output.traceback as string[] | undefined)?.join('\n') ?? '';
      const kept = noted(chars, 'traceback', whole, cut(whole));
      return kept === undefined ? output : withNote({ ...output, traceback: [kept] }, chars);
    }
    default:
      return withNote({ ...output, data: slimBundle(output.data, chars, text, cutPayload) } as IOutput, chars);
  }
}

function slimBundle(
  data: unknown,
  chars: Lengths,
  text: (name: string, value: unknown) => unknown,
  cutPayload: Payload
): Record<string, unknown> {
  const entries = Object.entries((data ?? {}) as IMimeBundle).map(([mime, value]) => {
    if (mime.startsWith('text/')) {
      return [mime, text(mime, value)] as const;
    }
    const kept = cutPayload(mime, value);
    if (kept !== value) {
      chars[mime] = length(value);
    }
    return [mime, kept] as const;
  });
  return Object.fromEntries(entries);
}

/** What is kept of a text that was cut, whose length is noted then. */
function noted(chars: Lengths, name: string, whole: string, kept: string): string | undefined {
  if (kept.length === whole.length) {
    return undefined;
  }
  chars[name] = whole.length;
  return kept;
}

function ends(text: string): string {
  return text.length <= WHOLE ? text : text.slice(0, HEAD) + text.slice(-TAIL);
}

function payload(mime: string, value: unknown): unknown {
  const head = MEASURED.includes(mime) ? joined(value) : '';
  return head.length > HEAD ? head.slice(0, HEAD) : head;
}

function withNote(output: IOutput, chars: Lengths): IOutput {
  if (Object.keys(chars).length === 0) {
    return output;
  }
  const metadata = (output.metadata ?? {}) as Readonly<Record<string, unknown>>;
  const cut = (metadata['jupyter_assistant'] ?? {}) as { readonly chars?: Lengths };
  const noted = { ...metadata, jupyter_assistant: { chars: { ...chars, ...cut.chars } } };
  return { ...output, metadata: noted };
}

// ---------------------------------------------------------------- whole

/** Outputs whole, but for payloads that are too large for anybody. */
export function bounded(outputs: readonly IOutput[], most = MOST_PAYLOAD): readonly IOutput[] {
  return outputs.map(output => boundedOne(output, most));
}

function boundedOne(output: IOutput, most: number): IOutput {
  if (output.output_type === 'stream') {
    const text = joined(output.text);
    return text.length <= most ? output : { ...output, text: `${note('text', text.length)}\n${text.slice(-LAST)}` };
  }
  const entries = Object.entries((output.data ?? {}) as IMimeBundle);
  const large = entries.filter(([, value]) => length(value) > most);
  if (large.length === 0) {
    return output;
  }
  const kept = Object.fromEntries(entries.filter(entry => !large.includes(entry)));
  const lines = [...large.map(([mime, value]) => note(mime, length(value))), joined(kept['text/plain'])];
  return { ...output, data: { ...kept, 'text/plain': lines.filter(Boolean).join('\n') } };
}

function note(name: string, chars: number): string {
  return `[${name}: ${chars} characters left out]`;
}

// ---------------------------------------------------------------- while a cell runs

/** The last outputs, of the first of them the end where it is a stream, and how many characters are missing. */
export function tail(
  outputs: readonly IOutput[],
  most = MOST_RUNNING
): { outputs: readonly IOutput[]; left_out: number } {
  const kept: IOutput[] = [];
  let [room, left_out] = [most, 0];
  for (const output of outputs.toReversed()) {
    const chars = weight(output);
    if (chars <= room) {
      kept.unshift(output);
    } else if (room > 0 && output.output_type === 'stream') {
      kept.unshift({ ...output, text: joined(output.text).slice(-room) });
      left_out += chars - room;
    } else {
      left_out += chars;
    }
    room = Math.max(0, room - chars);
  }
  return { outputs: kept, left_out };
}

/** Characters of all that an output holds. */
export function weight(output: IOutput): number {
  const texts = joined(output.text).length + joined(output.traceback).length;
  return Object.values((output.data ?? {}) as IMimeBundle).reduce((sum: number, value) => sum + length(value), texts);
}
