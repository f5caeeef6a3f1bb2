/**
 * Keys in the transcript: Alt+Up and Alt+Down go from message to message, from the composer too; Home and End to the
 * first and the last one.
 *
 * The law: a key that means something where the focus is keeps its meaning, and no letter is ever one of these keys.
 */

import { useEffect } from 'preact/hooks';

interface Around {
  /** The transcript. */
  readonly box: HTMLElement;
  readonly toEnd: () => void;
  /** Puts the cursor into the composer. */
  readonly compose: () => void;
}

const HOME = '.jp-Assistant-body, .jp-Assistant-composer';

function plain(event: KeyboardEvent): boolean {
  return !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.isComposing;
}

/** Puts the focus on a message, its beginning in sight. */
function attend(message: HTMLElement, box: HTMLElement): void {
  message.focus({ preventScroll: true });
  message.scrollIntoView({ block: message.offsetHeight > box.clientHeight ? 'start' : 'nearest' });
}

/** Whether the key was for the transcript. */
function turn(event: KeyboardEvent, { box, toEnd, compose }: Around): boolean {
  const messages = Array.from(box.querySelectorAll<HTMLElement>('article'));
  const target = event.target instanceof HTMLElement ? event.target : box;
  const here = messages.findIndex(message => message.contains(target));
  if (event.altKey && event.key === 'ArrowUp') {
    const above = here < 0 ? messages.at(-1) : messages[Math.max(0, here - 1)];
    if (above) {
      attend(above, box);
    }
    return above !== undefined;
  }
  if (event.altKey && event.key === 'ArrowDown' && here >= 0) {
    const below = messages[here + 1];
    if (below) {
      attend(below, box);
    } else {
      compose();
    }
    return true;
  }
  if (event.altKey || !(target === box || messages.includes(target))) {
    return false;
  }
  const [first, last] = [messages[0], messages.at(-1)];
  if (event.key === 'Home' && first) {
    attend(first, box);
  } else if (event.key === 'End' && last) {
    last.focus({ preventScroll: true });
    toEnd();
  } else {
    return false;
  }
  return true;
}

/** Listens in the transcript and in the composer below it. */
export function useMessageKeys(box: { current: HTMLElement | null }, toEnd: () => void, compose: () => void): void {
  useEffect(() => {
    const abort = new AbortController();
    const root = box.current?.closest<HTMLElement>('.jp-Assistant-panel') ?? box.current;
    const press = (event: KeyboardEvent): void => {
      const inside = event.target instanceof Element && event.target.closest(HOME) !== null;
      if (box.current && inside && plain(event) && turn(event, { box: box.current, toEnd, compose })) {
        event.preventDefault();
        event.stopPropagation();
      }
    };
    // Before the composer, to which an arrow alone means something else.
    root?.addEventListener('keydown', press, { capture: true, signal: abort.signal });
    return () => {
      abort.abort();
    };
  }, []);
}
