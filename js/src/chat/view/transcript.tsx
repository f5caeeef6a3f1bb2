/**
 * The messages of the shown conversation, with a button that leads back down to the newest.
 *
 * The law: what is far from view costs next to nothing, and can still be found and heard.
 */

import type { ComponentChildren, VNode } from 'preact';
import { Component } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Conversation, Entry } from '../conversation';
import { shown } from '../conversation';
import { AnswerView } from './answer';
import { useChat, usePanel } from './context';
import { EmptyState } from './empty';
import { useFollowing } from './following';
import { DownIcon } from './icons';
import { useMessageKeys } from './keys';
import { Sight, SightContext } from './near';

/** So many messages at the end are rendered at once: what is seen when a conversation is opened. */
const AT_ONCE = 8;

export function Transcript(): VNode {
  const { trans } = usePanel().host;
  const conversation = useChat(shown);
  const { box, growing, behind, toEnd, onScroll } = useFollowing(conversation);
  const sight = useSight(box);
  useMessageKeys(box, toEnd);
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
        <Content conversation={conversation} growing={growing} sight={sight} />
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

/** For the messages of this transcript; null where the browser cannot tell what is near. */
function useSight(box: { current: Element | null }): Sight | null {
  const [sight] = useState(() => ('IntersectionObserver' in globalThis ? new Sight(box) : null));
  useEffect(
    () => () => {
      sight?.end();
    },
    []
  );
  return sight;
}

interface ContentProps {
  readonly conversation: Conversation;
  readonly growing: (el: HTMLElement | null) => void;
  readonly sight: Sight | null;
}

function Content({ conversation, growing, sight }: ContentProps): VNode {
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
    <div class="jp-Assistant-column" ref={growing}>
      {entries.map((entry, index) => (
        <Message
          key={entry.id}
          entry={entry}
          number={index + 1}
          last={index === entries.length - 1}
          sight={index < entries.length - AT_ONCE ? sight : null}
        />
      ))}
    </div>
  );
}

interface MessageProps {
  readonly entry: Entry;
  readonly number: number;
  readonly last: boolean;
  readonly sight: Sight | null;
}

/** Rendered again only when it is another: a token touches one message of hundreds. */
class Message extends Component<MessageProps> {
  override shouldComponentUpdate(next: MessageProps): boolean {
    const { entry, number, last, sight } = this.props;
    return next.entry !== entry || next.number !== number || next.last !== last || next.sight !== sight;
  }

  override render({ entry, number, last, sight }: MessageProps): ComponentChildren {
    return (
      <SightContext.Provider value={sight}>
        <EntryView entry={entry} number={number} last={last} />
      </SightContext.Provider>
    );
  }
}

function EntryView({ entry, number, last }: Omit<MessageProps, 'sight'>): VNode {
  const { trans } = usePanel().host;
  if (entry.role === 'assistant') {
    return <AnswerView answer={entry} label={trans.__('Assistant, message %1', number)} last={last} />;
  }
  return (
    <article class="jp-Assistant-question" aria-label={trans.__('You, message %1', number)} tabIndex={-1}>
      {entry.text}
    </article>
  );
}
