/** A file for the user, made of what is here already: nothing is navigated to. */

import type { Exported } from './protocol';

/** Milliseconds after which it is let go: by then the browser has it. */
const KEPT_MS = 60_000;

export function download({ name, type, text }: Exported): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => {
    URL.revokeObjectURL(link.href);
  }, KEPT_MS);
}
