/**
 * A formula: its source until the host has set it, and for good where the host cannot or must not.
 *
 * The law: only a formula that no later text changes is set, many at once and out of sight; what comes back is looked
 * at before it is shown.
 */

import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Host } from '../host';
import { typesettable } from '../markdown/math';
import { usePanel } from './context';

interface Props {
  readonly tex: string;
  /** With its delimiters, as it was written. */
  readonly source: string;
  readonly display: boolean;
  readonly settled: boolean;
}

export function Formula({ tex, source, display, settled }: Props): VNode {
  const { host } = usePanel();
  const place = useRef<HTMLSpanElement>(null);
  const [set, show] = useState(false);
  const ended = settled ? tex : null; // while it grows there is nothing to do, and no effect asks for a frame
  useEffect(() => {
    const abort = new AbortController();
    const safe = ended !== null && host.typeset ? typesettable(ended) : null;
    if (safe !== null && place.current) {
      const written = display ? `\\[${safe}\\]` : `\\(${safe}\\)`;
      benchOf(host).add({ written, place: place.current, shown: show, signal: abort.signal });
    }
    return () => {
      abort.abort();
      place.current?.replaceChildren();
      show(false);
    };
  }, [ended, display]);
  return (
    <span class={`jp-Assistant-math${display ? ' jp-mod-display' : ''}`}>
      {set ? null : <span class="jp-Assistant-tex">{source}</span>}
      <span ref={place} />
    </span>
  );
}

interface Job {
  readonly written: string;
  readonly place: HTMLElement;
  readonly shown: (set: boolean) => void;
  readonly signal: AbortSignal;
}

/** As much as is set in one go: a measure of the page is taken for each, and none may hold up the page. */
const MOST_FORMULAS = 12;
const MOST_CHARACTERS = 400;

const benches = new WeakMap<Host, Bench>();

function benchOf(host: Host): Bench {
  const bench = benches.get(host) ?? new Bench(host);
  benches.set(host, bench);
  return bench;
}

/** Where formulas are set before they are shown: beside the text they belong to, so that they get its size. */
class Bench {
  readonly #host: Host;
  #waiting: Job[] = [];
  #busy = false;

  constructor(host: Host) {
    this.#host = host;
  }

  add(job: Job): void {
    this.#waiting.push(job);
    if (!this.#busy) {
      this.#busy = true;
      void this.#work();
    }
  }

  async #work(): Promise<void> {
    while (this.#waiting.length) {
      await new Promise(resolve => setTimeout(resolve));
      await this.#set(this.#batch());
    }
    this.#busy = false;
  }

  #batch(): Job[] {
    this.#waiting = this.#waiting.filter(({ place, signal }) => place.isConnected && !signal.aborted);
    let characters = 0;
    const beyond = this.#waiting.findIndex(({ written }, index) => {
      characters += written.length;
      return index > 0 && (index >= MOST_FORMULAS || characters > MOST_CHARACTERS);
    });
    return this.#waiting.splice(0, beyond < 0 ? this.#waiting.length : beyond);
  }

  /** What fails together is tried one by one: one formula never costs another. */
  async #set(jobs: readonly Job[]): Promise<void> {
    const around = jobs[0]?.place.closest('article, .jp-Assistant-markdown');
    if (!around) {
      return;
    }
    const bench = document.createElement('div');
    bench.className = 'jp-Assistant-bench';
    bench.append(...jobs.map(({ written }) => sheet(written)));
    around.append(bench);
    try {
      await this.#host.typeset?.(bench);
      jobs.forEach((job, index) => {
        hand(job, bench.children[index]);
      });
    } catch {
      for (const job of jobs.length > 1 ? jobs : []) {
        await this.#set([job]);
      }
    } finally {
      bench.remove();
    }
  }
}

function sheet(written: string): HTMLElement {
  const element = document.createElement('div');
  element.textContent = written;
  return element;
}

function hand({ place, shown, signal }: Job, made: Element | undefined): void {
  if (!signal.aborted && made?.firstElementChild && harmless(made)) {
    place.replaceChildren(...made.childNodes);
    shown(true);
  }
}

const MATHML = 'http://www.w3.org/1998/Math/MathML';
const FORBIDDEN = /^(on|href|src|xlink|action|form|name$|srcdoc|style$|data-(?!mjx-|latex))/i;
const STYLE = /url\(|position:\s*(fixed|absolute|sticky)|expression|@import/i;

/** Whether it is a formula and nothing else: no link, no picture, no name of the page's, no error in its place. */
function harmless(made: Element): boolean {
  return Array.from(made.querySelectorAll('*')).every(element => {
    element.removeAttribute('id');
    const known = /^(MJX-|SPAN$)/.test(element.tagName) || element.namespaceURI === MATHML;
    const ours = /(^|\s)(jp|lm|p|cm)-/.test(element.getAttribute('class') ?? '');
    return known && !ours && !element.hasAttribute('data-mjx-error') && Array.from(element.attributes).every(allowed);
  });
}

function allowed({ name, value }: Attr): boolean {
  return name === 'style' ? !STYLE.test(value) : !FORBIDDEN.test(name);
}
