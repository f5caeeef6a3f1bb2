/**
 * The transcript's scrolling: it follows the end while the reader is there.
 *
 * The law: who has scrolled up is left alone. Text that has come is followed before the browser looks at the frame, so
 * that it is laid out once; what grows by itself is heard of after that. A message that got the focus stays in sight
 * while what is around it is rendered.
 */

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Conversation } from '../conversation';

/** Pixels from the bottom that still count as being there. */
const TOLERANCE = 5;

const atEnd = (box: HTMLElement): boolean => box.scrollHeight - box.scrollTop - box.clientHeight <= TOLERANCE;

/** Whether nothing of an element is in sight. */
function outside(el: HTMLElement, box: HTMLElement): boolean {
  const [inner, outer] = [el.getBoundingClientRect(), box.getBoundingClientRect()];
  return inner.bottom <= outer.top || inner.top >= outer.bottom;
}

export interface Following {
  readonly box: { current: HTMLElement | null };
  /** For the element that grows in the box. */
  readonly growing: (el: HTMLElement | null) => void;
  /** Something new is below what is seen. */
  readonly behind: boolean;
  readonly toEnd: () => void;
  readonly onScroll: () => void;
}

/** Keeps the end in view while it is in view, and at once when a question is sent or a conversation shown. */
export function useFollowing({ key, entries }: Conversation): Following {
  const box = useRef<HTMLElement>(null);
  const following = useRef(true);
  const asked = useRef(false);
  asked.current = entries.length > 0;
  const held = useHeld(box);
  const [behind, setBehind] = useState(false);

  const stay = (): void => {
    if (box.current && following.current) {
      box.current.scrollTop = asked.current ? box.current.scrollHeight : 0; // what greets is read from its beginning
    } else if (box.current && held.current && outside(held.current, box.current)) {
      held.current.scrollIntoView({ block: 'nearest' });
    }
  };
  const toEnd = (): void => {
    following.current = true;
    setBehind(false);
    stay();
  };
  const onScroll = (): void => {
    if (box.current) {
      following.current = atEnd(box.current);
      if (following.current) {
        setBehind(false);
      }
    }
  };
  const { growing } = useSizes(box, stay);
  useLayoutEffect(toEnd, [key, entries.length]);
  useLayoutEffect(() => {
    if (following.current) {
      stay();
    } else {
      setBehind(true);
    }
  }, [entries]);
  return { box, growing, behind, toEnd, onScroll };
}

/** The message that has the focus, until the reader scrolls on. */
function useHeld(box: { current: HTMLElement | null }): { current: HTMLElement | null } {
  const held = useRef<HTMLElement | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    const listening = { signal: abort.signal, capture: true, passive: true };
    const letGo = (event: Event): void => {
      if (!(event instanceof KeyboardEvent && event.altKey)) {
        held.current = null;
      }
    };
    for (const name of ['focusout', 'wheel', 'touchmove', 'pointerdown', 'keydown']) {
      box.current?.addEventListener(name, letGo, listening);
    }
    const hold = ({ target }: Event): void => {
      held.current = target instanceof Element ? target.closest<HTMLElement>('article') : null;
    };
    box.current?.addEventListener('focusin', hold, listening);
    return () => {
      abort.abort();
    };
  }, []);
  return held;
}

/** Calls back when the box or what grows in it has another size. */
function useSizes(box: { current: HTMLElement | null }, changed: () => void): Pick<Following, 'growing'> {
  const call = useRef(changed);
  const inside = useRef<HTMLElement | null>(null);
  call.current = changed;
  const [observer] = useState(
    () =>
      new ResizeObserver(() => {
        call.current();
      })
  );
  useEffect(() => {
    if (box.current) {
      observer.observe(box.current);
    }
    return () => {
      observer.disconnect();
    };
  }, []);
  const [growing] = useState(() => (el: HTMLElement | null) => {
    if (inside.current) {
      observer.unobserve(inside.current);
    }
    inside.current = el;
    if (el) {
      observer.observe(el);
    }
  });
  return { growing };
}
