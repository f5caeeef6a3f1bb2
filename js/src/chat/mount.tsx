/**
 * The panel in an element of any host.
 *
 * The law: every lifetime in here ends with one signal; after `dispose` nothing is left, and no run was stopped.
 */

import { render } from 'preact';
import { Connections } from './connections';
import type { Conversation } from './conversation';
import { begin, shown } from './conversation';
import type { Pause } from './follow';
import type { Host } from './host';
import { Intents } from './intents';
import type { Code } from './markdown/fence';
import { lastCode } from './markdown/fence';
import { Store } from './store';
import type { Transport } from './transport';
import { View } from './view';
import { PanelContext } from './view/context';
import { stepMessage } from './view/keys';

export interface Mounted {
  /** Puts the cursor where the question is written, or the focus into the sheet that covers it. */
  focus(): void;
  /** Asks about the active cell in the shown conversation, once it is loaded; while an answer is made there, it goes into the composer. */
  ask(question: string): Promise<void>;
  /** Lets the next question begin with these words, which name the active cell. */
  lead(words: string): void;
  /** The newest code block of the shown conversation that is complete; null without one. */
  lastCode(): Code | null;
  /** Goes to the message before (-1) or after (1) the one that has the focus. */
  step(by: -1 | 1): void;
  /** Whether the cursor is there. */
  focused(): boolean;
  dispose(): void;
}

/** Waits, but not longer than until the browser is online again. */
export const untilOnline: Pause = (ms, signal) =>
  new Promise((resolve, reject) => {
    const settled = new AbortController();
    const end = (): void => {
      clearTimeout(timer);
      settled.abort();
      resolve();
    };
    const timer = setTimeout(end, ms);
    window.addEventListener('online', end, { signal: settled.signal });
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        settled.abort();
        reject(signal.reason as Error);
      },
      { signal: settled.signal }
    );
  });

/** A random UUID, also on pages without a secure context. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5');
}

/** Calls back when the user comes to this window or tab again. */
function onReturn(back: () => void, signal: AbortSignal): void {
  const visible = (): void => {
    if (document.visibilityState === 'visible') {
      back();
    }
  };
  window.addEventListener('focus', visible, { signal });
  document.addEventListener('visibilitychange', visible, { signal });
}

/** Once the shown conversation is there, or the panel is not. */
function loaded(store: Store, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const look = (): void => {
      if (!shown(store.chat).loading || signal.aborted) {
        unsubscribe();
        signal.removeEventListener('abort', look);
        resolve();
      }
    };
    const unsubscribe = store.subscribe(look);
    signal.addEventListener('abort', look);
    look();
  });
}

function newestCode({ entries }: Conversation): Code | null {
  for (const entry of entries.toReversed()) {
    const found = entry.role === 'assistant' ? lastCode(entry.text) : null;
    if (found) {
      return found;
    }
  }
  return null;
}

export function mount(el: HTMLElement, { transport, host }: { transport: Transport; host: Host }): Mounted {
  const lifetime = new AbortController();
  const store = new Store(begin(newId()));
  const intents = new Intents({ store, transport, host, pause: untilOnline, id: newId }, lifetime.signal);
  const connections = new Connections({ store, transport, host }, lifetime.signal);
  const composer = (): HTMLTextAreaElement | null => el.querySelector('textarea');
  const focus = (): void => composer()?.focus();
  const enter = (): void => {
    const sheet = el.querySelector('[aria-modal=true]'); // it covers the composer, and keeps the focus it has
    if (!sheet) {
      focus();
    } else if (!sheet.contains(document.activeElement)) {
      sheet.querySelector('button')?.focus();
    }
  };
  render(
    <PanelContext.Provider value={{ store, intents, connections, host, focus, signal: lifetime.signal }}>
      <View />
    </PanelContext.Provider>,
    el
  );
  void intents.start();
  void connections.learn();
  onReturn(() => {
    void intents.returned();
    if (store.chat.dialog === 'none') {
      void connections.learn(); // another tab may have chosen another model
    }
  }, lifetime.signal);
  return {
    focus: enter,
    ask: async question => {
      await loaded(store, lifetime.signal);
      intents.takeCell();
      if (!lifetime.signal.aborted && !intents.ask(question)) {
        store.dispatch({ do: 'draft', text: question });
      }
    },
    lead: words => {
      intents.takeCell();
      store.dispatch({ do: 'draft', text: words, lead: true });
    },
    lastCode: () => newestCode(shown(store.chat)),
    step: by => {
      stepMessage(el, by, focus);
    },
    focused: () => composer() !== null && document.activeElement === composer(),
    dispose: () => {
      lifetime.abort();
      render(null, el);
      store.end();
    }
  };
}
