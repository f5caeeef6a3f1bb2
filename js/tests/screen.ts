/** A mounted panel and what a test does with it. */

import { afterAll, afterEach, vi } from 'vitest';
import type { Mounted } from '../src/chat/mount';
import { mount } from '../src/chat/mount';
import { Place, Script } from './script';

/** jsdom lays nothing out, so nothing is ever resized. */
class NoLayout implements ResizeObserver {
  observe(): void {
    // nothing is laid out
  }
  unobserve(): void {
    // nothing is laid out
  }
  disconnect(): void {
    // nothing is laid out
  }
}
globalThis.ResizeObserver = NoLayout;
Element.prototype.scrollIntoView = () => undefined;

const screens: Screen[] = [];

afterEach(() => {
  screens.splice(0).forEach(screen => {
    screen.panel.dispose();
    screen.el.remove();
  });
});

/** Milliseconds after which Preact runs effects without a frame; its timer must find the page still there. */
const EFFECTS_MS = 100;

afterAll(() => new Promise(resolve => setTimeout(resolve, EFFECTS_MS)));

export class Screen {
  readonly el = document.createElement('div');
  readonly panel: Mounted;

  constructor(
    readonly script = new Script(),
    readonly place = new Place()
  ) {
    document.body.append(this.el);
    this.panel = mount(this.el, { transport: script, host: place });
    screens.push(this);
  }

  find(selector: string): HTMLElement {
    const found = this.el.querySelector<HTMLElement>(selector);
    if (!found) {
      throw new Error(`nothing matches ${selector} in ${this.el.innerHTML}`);
    }
    return found;
  }

  all(selector: string): HTMLElement[] {
    return Array.from(this.el.querySelectorAll<HTMLElement>(selector));
  }

  get text(): string {
    return this.el.querySelector('[role=log]')?.textContent ?? '';
  }

  get composer(): HTMLTextAreaElement {
    return this.find('textarea') as HTMLTextAreaElement;
  }

  get send(): HTMLButtonElement {
    return this.find('.jp-Assistant-send') as HTMLButtonElement;
  }

  type(text: string): void {
    this.composer.value = text;
    this.composer.dispatchEvent(new InputEvent('input', { bubbles: true }));
  }

  key(key: string, more: KeyboardEventInit = {}): boolean {
    return this.composer.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more }));
  }

  button(label: string): HTMLElement {
    const found = this.all('button').find(
      button => button.textContent.trim() === label || button.getAttribute('aria-label') === label
    );
    if (!found) {
      throw new Error(`no button ${label} in ${this.el.innerHTML}`);
    }
    return found;
  }

  /** Waits until something is so. */
  until(check: () => boolean): Promise<void> {
    return vi.waitUntil(check, { timeout: 4_000, interval: 2 }).then(() => undefined);
  }

  shows(text: string): Promise<void> {
    return this.until(() => this.text.includes(text));
  }

  async ask(text: string): Promise<void> {
    const before = this.script.asked.length;
    this.type(text);
    await this.until(() => this.send.getAttribute('aria-disabled') === 'false');
    this.key('Enter');
    await this.until(() => this.script.asked.length > before);
  }

  /** The stream of the newest question. */
  get stream(): Script['asked'][number]['stream'] {
    const last = this.script.asked.at(-1);
    if (!last) {
      throw new Error('nothing was asked');
    }
    return last.stream;
  }
}
