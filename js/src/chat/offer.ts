/**
 * How a host that lives in a page lends itself to panels of the same page that are mounted elsewhere, such as in a
 * notebook's output.
 *
 * The law: only what `Host` has is lent, and a panel does without when nothing is. The two may be of different
 * versions: a change that an older one would trip over takes another number.
 */

import type { Host } from './host';

const PLACE = Symbol.for('jupyter-assistant:host:1');

type Page = Record<symbol, Host | undefined>;

export function offer(host: Host): void {
  (globalThis as unknown as Page)[PLACE] = host;
}

/** The host that this page has; null without one. */
export function offered(): Host | null {
  return (globalThis as unknown as Page)[PLACE] ?? null;
}
