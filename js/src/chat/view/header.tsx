/** The row at the top: which conversation this is, the way to the others, and a new one. */

import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { shown } from '../conversation';
import { useChat, usePanel } from './context';
import { History } from './history';
import { GearIcon, ListIcon, NewIcon } from './icons';

export function Header(): VNode {
  const { intents, connections, host, focus } = usePanel();
  const { trans } = host;
  const [open, setOpen] = useState(false);
  const name = useChat(chat => shown(chat).title) || trans.__('New conversation');
  const news = useChat(chat => chat.unseen.length > 0);
  const toggle = (): void => {
    if (!open) {
      void intents.shelf.list();
    }
    setOpen(!open);
  };
  return (
    <div class="jp-Assistant-header">
      <button
        type="button"
        class="jp-Assistant-title"
        aria-expanded={open}
        aria-label={
          news ? trans.__('Conversations, new answer, shown: %1', name) : trans.__('Conversations, shown: %1', name)
        }
        title={name}
        onClick={toggle}
      >
        <span class="jp-Assistant-cut">{name}</span>
        <ListIcon />
        {news ? <span class="jp-Assistant-dot" aria-hidden="true" /> : null}
      </button>
      <button
        type="button"
        class="jp-Assistant-plain jp-Assistant-gear"
        aria-label={trans.__('Settings')}
        title={trans.__('Settings')}
        onClick={() => {
          setOpen(false);
          connections.show('settings');
        }}
      >
        <GearIcon />
      </button>
      <button
        type="button"
        class="jp-Assistant-plain"
        aria-label={trans.__('New conversation')}
        title={trans.__('New conversation')}
        onClick={() => {
          setOpen(false);
          intents.fresh();
          focus();
        }}
      >
        <NewIcon />
      </button>
      {open ? (
        <History
          close={() => {
            setOpen(false);
          }}
        />
      ) : null}
    </div>
  );
}
