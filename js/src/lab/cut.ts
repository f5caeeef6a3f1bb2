/**
 * Large outputs, reduced before they travel: texts to their head and tail, other payloads to their type; pure.
 *
 * The law: a traceback stays whole.
 */

import type { IOutput } from '@jupyterlab/nbformat';

/** Characters of JSON from which a cell's outputs are reduced, and of what each text then keeps at either end. */
export const LARGE = 200_000;
const END = 8_000;

function cut(text: string): string {
  const left = text.length - 2 * END;
  return left <= 0 ? text : `${text.slice(0, END)}\n… [${left} characters left out] …\n${text.slice(-END)}`;
}

function joined(value: unknown): string {
  return Array.isArray(value) ? value.join('') : typeof value === 'string' ? value : JSON.stringify(value);
}

/** Text is cut; anything else (images, widgets, plots as JSON) keeps its type and loses its content. */
function payload(mime: string, value: unknown): string {
  return mime.startsWith('text/') ? cut(joined(value)) : '';
}

function reduced(output: IOutput): IOutput {
  if (output.output_type === 'stream') {
    return { ...output, text: cut(joined(output.text)) };
  }
  const data = output.data;
  if (typeof data !== 'object' || data === null) {
    return output;
  }
  const entries = Object.entries(data).map(([mime, value]) => [mime, payload(mime, value)]);
  return { ...output, data: Object.fromEntries(entries) as Record<string, string> };
}

/** The outputs as they are sent. */
export function sendable(outputs: readonly IOutput[]): readonly IOutput[] {
  return JSON.stringify(outputs).length > LARGE ? outputs.map(reduced) : outputs;
}
