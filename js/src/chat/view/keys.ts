/**
 * Going from message to message, as the host's commands do, and the transcript's own keys: Home and End go to the first
 * and the last one.
 *
 * The law: a key that means something where the focus is keeps its meaning, and no letter is ever one of these keys.
 */

import { useEffect } from 'preact/hooks';

interface Around {
  /** The transcript. */
  readonly box: HTMLElement;
  readonly toEnd: () => void;
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

/**
 * Puts the focus on the message before or after the one that has it: from anywhere else the newest is the one before,
 * and after the newest comes the composer. Under an open sheet or list nothing is moved.
 */
export function stepMessage(panel: HTMLElement, by: -1 | 1, compose: () => void): void {
  const box = panel.querySelector<HTMLElement>('[role=log]');
  const { activeElement } = document;
  if (!box || (panel.contains(activeElement) && !activeElement?.closest(HOME))) {
    return;
  }
  const messages = messagesOf(box);
  const here = messages.findIndex(message => message.contains(activeElement));
  const there = here < 0 ? (by < 0 ? messages.at(-1) : undefined) : messages[Math.max(0, here + by)];
  if (there) {
    attend(there, box);
  } else {
    compose();
  }
}

function messagesOf(box: HTMLElement): HTMLElement[] {
  return Array.from(box.querySelectorAll<HTMLElement>('article'));
}

/** Whether the key was for the transcript. */
function turn(event: KeyboardEvent, { box, toEnd }: Around): boolean {
  const messages = messagesOf(box);
  const target = event.target instanceof HTMLElement ? event.target : box;
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

/** Listens in the transcript. */
export function useMessageKeys(box: { current: HTMLElement | null }, toEnd: () => void): void {
  useEffect(() => {
    const abort = new AbortController();
    const root = box.current;
    const press = (event: KeyboardEvent): void => {
      if (root && plain(event) && turn(event, { box: root, toEnd })) {
        event.preventDefault();
        event.stopPropagation();
      }
    };
    root?.addEventListener('keydown', press, { signal: abort.signal });
    return () => {
      abort.abort();
    };
  }, []);
}
