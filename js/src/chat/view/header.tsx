/** The row at the top: which conversation this is, the others, and a new one. */

import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Chat, Conversation } from '../conversation';
import { running, shown } from '../conversation';
import { useChat, usePanel } from './context';
import { ListIcon, NewIcon } from './icons';

export function Header(): VNode {
  const { intents, host, focus } = usePanel();
  const { trans } = host;
  const [open, setOpen] = useState(false);
  const name = useChat(chat => shown(chat).title) || trans.__('New conversation');
  const toggle = (): void => {
    if (!open) {
      void intents.list();
    }
    setOpen(!open);
  };
  return (
    <div class="jp-Assistant-header">
      <button
        type="button"
        class="jp-Assistant-title"
        aria-expanded={open}
        aria-label={trans.__('Conversations, shown: %1', name)}
        title={name}
        onClick={toggle}
      >
        <span class="jp-Assistant-cut">{name}</span>
        <ListIcon />
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
        <List
          close={() => {
            setOpen(false);
          }}
        />
      ) : null}
    </div>
  );
}

interface Item {
  readonly id: string;
  readonly key: string;
  readonly title: string;
  readonly running: boolean;
  readonly shown: boolean;
}

/** The conversations of this panel that the list does not have yet, then those it has. */
export function items(chat: Chat): Item[] {
  const ours = Object.values(chat.conversations).filter(conversation => conversation.entries.length > 0);
  const unlisted = ours.filter(each => !chat.summaries.some(summary => summary.id === each.id));
  const known = new Map<string, Conversation>(ours.map(conversation => [conversation.id, conversation]));
  return [
    ...unlisted.map(({ id, key, title }) => ({ id, key, title, running: false })),
    ...chat.summaries.map(({ id, title, run_id }) => ({
      id,
      key: known.get(id)?.key ?? '',
      title,
      running: run_id !== ''
    }))
  ].map(item => {
    const conversation = item.key ? chat.conversations[item.key] : undefined;
    return {
      ...item,
      running: conversation ? running(conversation) !== null : item.running,
      shown: item.key === chat.shown
    };
  });
}

function List({ close }: { close: () => void }): VNode {
  const { intents, host, focus } = usePanel();
  const { trans } = host;
  const chat = useChat(each => each);
  const box = useRef<HTMLDivElement>(null);
  useClosing(box, close);
  const all = items(chat);
  return (
    <div ref={box} class="jp-Assistant-list">
      {all.length === 0 ? <p class="jp-Assistant-line">{trans.__('No conversations yet')}</p> : null}
      <ul aria-label={trans.__('Conversations')}>
        {all.map(item => (
          <li key={item.id || item.key}>
            <button
              type="button"
              aria-current={item.shown ? 'true' : undefined}
              onClick={() => {
                close();
                if (item.id) {
                  void intents.open(item.id);
                } else {
                  intents.show(item.key);
                }
                focus();
              }}
            >
              <span class="jp-Assistant-cut">{item.title || trans.__('New conversation')}</span>
              {item.running ? <span class="jp-Assistant-pulse" role="img" aria-label={trans.__('Answering')} /> : null}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Closes on Escape and on a press outside the header. */
function useClosing(box: { current: HTMLElement | null }, close: () => void): void {
  useEffect(() => {
    const abort = new AbortController();
    const outside = (event: Event): void => {
      if (event.target instanceof Node && !box.current?.parentElement?.contains(event.target)) {
        close();
      }
    };
    const escape = (event: KeyboardEvent): void => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        close();
        box.current?.parentElement?.querySelector('button')?.focus();
      }
    };
    document.addEventListener('pointerdown', outside, { signal: abort.signal });
    box.current?.parentElement?.addEventListener('keydown', escape, { signal: abort.signal });
    return () => {
      abort.abort();
    };
  }, []);
}
