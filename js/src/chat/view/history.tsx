/**
 * The conversations, in a box under the header: found, opened, renamed, pinned, saved as files and deleted.
 *
 * The law: everything goes by keyboard, and the focus never falls out of the box: where a row's buttons go away, it is
 * put on what takes their place. Nothing is deleted by one click.
 */

import type { VNode } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Item, Period } from '../history';
import { archived, grouped, items, matching } from '../history';
import type { Trans } from '../host';
import { useChat, usePanel } from './context';
import { MoreIcon, PinIcon } from './icons';

/** Milliseconds after which a question whether to delete takes itself back. */
export const CONFIRM_MS = 3_000;

/** What a row is: itself, with its actions, being renamed, or asked whether it shall go. */
type Mode = 'row' | 'actions' | 'rename' | 'delete';

interface Turned {
  readonly id: string;
  readonly mode: Mode;
}

export function History({ close }: { close: () => void }): VNode {
  const { trans } = usePanel().host;
  const chat = useChat(each => each);
  const [sought, seek] = useState('');
  const [turned, turn] = useState<Turned>({ id: '', mode: 'row' });
  const box = useRef<HTMLDivElement>(null);
  useClosing(box, close);
  const search = useRef<HTMLInputElement>(null);
  useFocus(search);
  const now = new Date();
  const all = items(chat, now.getTime() / 1000);
  const groups = grouped(matching(all, sought), now);
  const old = matching(archived(chat), sought);
  const rows = (name: string, listed: readonly Item[]): VNode => (
    <section key={name}>
      <h3>{name}</h3>
      <ul aria-label={name}>
        {listed.map(item => (
          <Row
            key={item.id || item.key}
            item={item}
            mode={turned.id === item.id ? turned.mode : 'row'}
            turn={mode => {
              turn({ id: item.id, mode });
            }}
            close={close}
            gone={() => search.current?.focus()}
          />
        ))}
      </ul>
    </section>
  );
  return (
    <div ref={box} class="jp-Assistant-list" role="group" aria-label={trans.__('Conversations')}>
      <input
        ref={search}
        type="search"
        class="jp-Assistant-search"
        value={sought}
        placeholder={trans.__('Search titles')}
        aria-label={trans.__('Search conversations')}
        onInput={event => {
          seek(event.currentTarget.value);
        }}
      />
      {chat.complaint ? (
        <p class="jp-Assistant-complaint" role="alert">
          {[chat.complaint.text, chat.complaint.hint].filter(Boolean).join(' ')}
        </p>
      ) : null}
      <div class="jp-Assistant-found">
        {groups.map(group => rows(periodName(group.period, trans), group.items))}
        {old.length ? rows(trans.__('Archived'), old) : null}
        {groups.length + old.length === 0 ? (
          <p class="jp-Assistant-line">
            {all.length && sought ? trans.__('No title matches') : trans.__('No conversations yet')}
          </p>
        ) : null}
        <Archive count={chat.archive.count} open={chat.archive.summaries !== null} />
      </div>
    </div>
  );
}

function Archive({ count, open }: { count: number; open: boolean }): VNode | null {
  const { intents, host } = usePanel();
  if (count === 0) {
    return null;
  }
  return (
    <button
      type="button"
      class="jp-Assistant-plain jp-Assistant-archive"
      aria-expanded={open}
      onClick={() => {
        void intents.shelf.archive(!open);
      }}
    >
      {open ? host.trans.__('Hide archived') : host.trans.__('Show %1 archived', count)}
    </button>
  );
}

interface RowProps {
  readonly item: Item;
  readonly mode: Mode;
  readonly turn: (mode: Mode) => void;
  readonly close: () => void;
  /** The row went away with the focus in it. */
  readonly gone: () => void;
}

function Row({ item, mode, turn, close, gone }: RowProps): VNode {
  const { host } = usePanel();
  const { trans } = host;
  const more = useRef<HTMLButtonElement>(null);
  const title = item.title || trans.__('New conversation');
  const back = (): void => {
    turn('row');
    requestAnimationFrame(() => more.current?.focus());
  };
  if (mode === 'delete') {
    return <DeleteRow item={item} title={title} back={back} revert={turn} gone={gone} />;
  }
  if (mode === 'rename') {
    return <RenameRow item={item} back={back} />;
  }
  const expanded = mode === 'actions';
  return (
    <li>
      <div class="jp-Assistant-row">
        <OpenButton item={item} title={title} close={close} />
        {item.id ? (
          <button
            ref={more}
            type="button"
            class="jp-Assistant-plain"
            aria-expanded={expanded}
            aria-label={trans.__('Actions for %1', title)}
            title={trans.__('Rename, pin, save, delete')}
            onClick={() => {
              turn(expanded ? 'row' : 'actions');
            }}
          >
            <MoreIcon />
          </button>
        ) : null}
      </div>
      {expanded ? <Actions item={item} title={title} turn={turn} back={back} /> : null}
    </li>
  );
}

function OpenButton({ item, title, close }: { item: Item; title: string; close: () => void }): VNode {
  const { intents, host, focus } = usePanel();
  const { trans } = host;
  return (
    <button
      type="button"
      class="jp-Assistant-plain jp-Assistant-open"
      aria-current={item.shown ? 'true' : undefined}
      title={title}
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
      {item.pinned ? <PinIcon /> : null}
      <span class="jp-Assistant-cut">{title}</span>
      {item.running ? <span class="jp-Assistant-spinner" role="img" aria-label={trans.__('Answering')} /> : null}
      {item.unseen ? <span class="jp-Assistant-dot" role="img" aria-label={trans.__('New answer')} /> : null}
    </button>
  );
}

interface ActionsProps {
  readonly item: Item;
  readonly title: string;
  readonly turn: (mode: Mode) => void;
  readonly back: () => void;
}

function Actions({ item, title, turn, back }: ActionsProps): VNode {
  const { intents, host } = usePanel();
  const { trans } = host;
  const action = (label: string, act: () => void): VNode => (
    <button type="button" class="jp-Assistant-button" onClick={act}>
      {label}
    </button>
  );
  return (
    <div class="jp-Assistant-actions" role="group" aria-label={trans.__('Actions for %1', title)}>
      {action(trans.__('Rename'), () => {
        turn('rename');
      })}
      {action(item.pinned ? trans.__('Unpin') : trans.__('Pin'), () => {
        back();
        void intents.shelf.pin(item.id, !item.pinned);
      })}
      {action(trans.__('Save as Markdown'), () => {
        void intents.shelf.save(item.id, 'md');
      })}
      {action(trans.__('Save as JSON'), () => {
        void intents.shelf.save(item.id, 'json');
      })}
      {action(trans.__('Delete'), () => {
        turn('delete');
      })}
    </div>
  );
}

function RenameRow({ item, back }: { item: Item; back: () => void }): VNode {
  const { intents, host } = usePanel();
  const field = useRef<HTMLInputElement>(null);
  useFocus(field);
  const over = useRef(false);
  useLayoutEffect(() => field.current?.select(), []);
  const end = (title: string, leave: () => void): void => {
    if (over.current) {
      return;
    }
    over.current = true;
    if (title && title !== item.title) {
      void intents.shelf.rename(item.id, item.title, title);
    }
    leave();
  };
  return (
    <li class="jp-Assistant-row">
      <input
        ref={field}
        type="text"
        maxLength={NAME_CHARS}
        defaultValue={item.title}
        aria-label={host.trans.__('Title')}
        onKeyDown={event => {
          if (event.key === 'Enter' && !event.isComposing) {
            end(event.currentTarget.value.trim(), back);
          } else if (event.key === 'Escape' && !event.isComposing) {
            event.stopPropagation();
            end('', back);
          }
        }}
        onBlur={event => {
          end(event.currentTarget.value.trim(), back);
        }}
      />
    </li>
  );
}

interface DeleteProps {
  readonly item: Item;
  readonly title: string;
  readonly back: () => void;
  readonly revert: (mode: Mode) => void;
  readonly gone: () => void;
}

/** The question whether to delete. Left alone it takes itself back; each key pressed in it gives it its time anew. */
function DeleteRow({ item, title, back, revert, gone }: DeleteProps): VNode {
  const { intents, host } = usePanel();
  const { trans } = host;
  const row = useRef<HTMLDivElement>(null);
  const keep = useRef<HTMLButtonElement>(null);
  useFocus(keep);
  const [touched, touch] = useState(0);
  useEffect(() => {
    const timer = setTimeout(() => {
      if (row.current?.contains(document.activeElement)) {
        back();
      } else {
        revert('row');
      }
    }, CONFIRM_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [touched]);
  return (
    <li>
      <div
        ref={row}
        class="jp-Assistant-row jp-mod-delete"
        role="group"
        aria-label={trans.__('Delete %1?', title)}
        onKeyDown={event => {
          touch(touched + 1);
          if (event.key === 'Escape' && !event.isComposing) {
            event.stopPropagation();
            back();
          }
        }}
      >
        <span class="jp-Assistant-cut">{title}</span>
        <button
          type="button"
          class="jp-Assistant-button jp-mod-danger"
          onClick={() => {
            gone();
            revert('row');
            void intents.remove(item.id);
          }}
        >
          {trans.__('Delete?')}
        </button>
        <button ref={keep} type="button" class="jp-Assistant-button" onClick={back}>
          {trans.__('Keep')}
        </button>
      </div>
    </li>
  );
}

/** The longest title the server takes. */
const NAME_CHARS = 512;

function periodName(period: Period, trans: Trans): string {
  switch (period) {
    case 'pinned':
      return trans.__('Pinned');
    case 'today':
      return trans.__('Today');
    case 'yesterday':
      return trans.__('Yesterday');
    case 'week':
      return trans.__('This week');
    case 'month':
      return trans.__('This month');
    default:
      return trans.__('Older');
  }
}

/** Gives an element the focus when it appears. */
function useFocus(element: { current: HTMLElement | null }): void {
  useLayoutEffect(() => {
    element.current?.focus();
  }, []);
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
      if (event.key === 'Escape' && !event.isComposing) {
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
