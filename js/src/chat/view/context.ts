/** What every part of the view has at hand: the state, what can be wanted, and the host. */

import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import type { Connections } from '../connections';
import type { Chat } from '../conversation';
import type { Host } from '../host';
import type { Intents } from '../intents';
import type { Store } from '../store';

export interface Panel {
  readonly store: Store;
  readonly intents: Intents;
  readonly connections: Connections;
  readonly host: Host;
  /** Puts the cursor into the composer: where a button goes away, what it did goes on there. */
  readonly focus: () => void;
  /** Ends with the panel. */
  readonly signal: AbortSignal;
}

export const PanelContext = createContext<Panel | null>(null);

export function usePanel(): Panel {
  const panel = useContext(PanelContext);
  if (!panel) {
    throw new Error('outside of a panel');
  }
  return panel;
}

/** A part of the state; renders again only when that part is another. */
export function useChat<T>(select: (chat: Chat) => T): T {
  const { store } = usePanel();
  const [value, set] = useState(() => select(store.chat));
  useEffect(() => {
    const look = (): void => {
      set(() => select(store.chat));
    };
    look(); // what changed between the first rendering and now
    return store.subscribe(look);
  }, [store]);
  return value;
}
