/**
 * The messages of the shown conversation, following the end while the reader is there.
 *
 * The law: who has scrolled up is left alone; a button leads back down.
 */

import type { VNode } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Conversation, Entry } from '../conversation';
import { shown } from '../conversation';
import { AnswerView } from './answer';
import { useChat, usePanel } from './context';
import { EmptyState } from './empty';
import { DownIcon } from './icons';

/** Pixels from the bottom that still count as being there. */
const TOLERANCE = 5;

const atEnd = (box: HTMLElement): boolean => box.scrollHeight - box.scrollTop - box.clientHeight <= TOLERANCE;

export function Transcript(): VNode {
  const { trans } = usePanel().host;
  const conversation = useChat(shown);
  const { box, behind, toEnd, onScroll } = useFollowing(conversation);
  return (
    <div class="jp-Assistant-body">
      <section
        ref={box}
        class="jp-Assistant-transcript"
        role="log"
        aria-live="off"
        aria-label={trans.__('Conversation')}
        tabIndex={0}
        onScroll={onScroll}
      >
        <Content conversation={conversation} />
      </section>
      {behind ? (
        <button
          type="button"
          class="jp-Assistant-down"
          onClick={() => {
            toEnd();
            box.current?.focus({ preventScroll: true });
          }}
        >
          <DownIcon />
          {trans.__('New')}
        </button>
      ) : null}
    </div>
  );
}

function Content({ conversation }: { conversation: Conversation }): VNode {
  const { intents, host, focus } = usePanel();
  const { entries, failure, loading, id } = conversation;
  if (failure) {
    return (
      <div class="jp-Assistant-error">
        <p>{failure.text}</p>
        <p class="jp-Assistant-hint">{failure.hint}</p>
        <button
          type="button"
          class="jp-Assistant-button"
          onClick={() => {
            void intents.open(id);
            focus();
          }}
        >
          {host.trans.__('Try again')}
        </button>
      </div>
    );
  }
  if (entries.length === 0) {
    return loading ? <p class="jp-Assistant-line">{host.trans.__('Loading…')}</p> : <EmptyState />;
  }
  return (
    <div class="jp-Assistant-column">
      {entries.map((entry, index) => (
        <EntryView key={entry.id} entry={entry} number={index + 1} count={entries.length} />
      ))}
    </div>
  );
}

function EntryView({ entry, number, count }: { entry: Entry; number: number; count: number }): VNode {
  const { trans } = usePanel().host;
  if (entry.role === 'assistant') {
    return <AnswerView answer={entry} label={trans.__('Assistant, message %1', number)} last={number === count} />;
  }
  return (
    <article class="jp-Assistant-question" aria-label={trans.__('You, message %1', number)} tabIndex={-1}>
      {entry.text}
    </article>
  );
}

interface Following {
  readonly box: { current: HTMLElement | null };
  readonly behind: boolean;
  readonly toEnd: () => void;
  readonly onScroll: () => void;
}

/** Keeps the end in view while it is in view, and at once when a question is sent or a conversation shown. */
function useFollowing(conversation: Conversation): Following {
  const box = useRef<HTMLElement>(null);
  const following = useRef(true);
  const [behind, setBehind] = useState(false);
  const { key, entries } = conversation;

  const stay = (): void => {
    if (box.current && following.current) {
      box.current.scrollTop = box.current.scrollHeight;
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

  useLayoutEffect(toEnd, [key, entries.length]);
  useLayoutEffect(() => {
    stay();
    if (!following.current) {
      setBehind(true);
    }
  }, [entries]);
  useEffect(() => {
    const observer = new ResizeObserver(stay);
    if (box.current) {
      observer.observe(box.current);
    }
    return () => {
      observer.disconnect();
    };
  }, []);
  return { box, behind, toEnd, onScroll };
}
