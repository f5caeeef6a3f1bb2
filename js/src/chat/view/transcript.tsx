/**
 * The messages of the shown conversation, with a button that leads back down to the newest.
 *
 * The law: what is far from view costs next to nothing, and can still be found and heard.
 */

import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Conversation } from '../conversation';
import { shown } from '../conversation';
import { useChat, usePanel } from './context';
import { EmptyState } from './empty';
import { useFollowing } from './following';
import { groups } from './group';
import { DownIcon } from './icons';
import { useMessageKeys } from './keys';
import { Sight } from './near';

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
      {groups(entries, sight)}
    </div>
  );
}
