/**
 * What is near enough to be seen soon: in a long conversation only that is rendered, the rest is its plain text.
 *
 * The law: what has been rendered stays so, and where nothing tells what is near, everything is.
 */

import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';

/** How far beyond what is seen counts as near. */
const MARGIN = '100% 0px';

/** Tells elements in a box when they come near. */
export class Sight {
  readonly #box: { readonly current: Element | null };
  readonly #waiting = new Map<Element, Set<() => void>>();
  #observer: IntersectionObserver | null = null;

  constructor(box: { readonly current: Element | null }) {
    this.#box = box;
  }

  /** Calls back once `el` is near; the returned function ends that. */
  watch(el: Element, came: () => void): () => void {
    this.#observer ??= new IntersectionObserver(this.#look, { root: this.#box.current, rootMargin: MARGIN });
    const waiting = this.#waiting.get(el) ?? new Set();
    this.#waiting.set(el, waiting.add(came));
    this.#observer.observe(el);
    return () => {
      waiting.delete(came);
      if (!waiting.size) {
        this.#forget(el);
      }
    };
  }

  end(): void {
    this.#observer?.disconnect();
    this.#waiting.clear();
  }

  #forget(el: Element): void {
    this.#waiting.delete(el);
    this.#observer?.unobserve(el);
  }

  readonly #look = (seen: readonly IntersectionObserverEntry[]): void => {
    for (const { target, isIntersecting } of seen) {
      if (isIntersecting) {
        const waiting = this.#waiting.get(target);
        this.#forget(target);
        waiting?.forEach(came => {
          came();
        });
      }
    }
  };
}

/** Null where everything counts as near. */
export const SightContext = createContext<Sight | null>(null);

/** Whether this element, or what it was made for, is near or has been. `now`: it is, whatever can be seen. */
export function useNear(box: { readonly current: Element | null }, now: boolean): boolean {
  const sight = useContext(SightContext);
  const [near, come] = useState(now || !sight);
  useEffect(() => {
    const el = box.current?.closest('.jp-Assistant-group') ?? box.current;
    return near || !sight || !el
      ? undefined
      : sight.watch(el, () => {
          come(true);
        });
  }, [near, sight]);
  return near;
}
