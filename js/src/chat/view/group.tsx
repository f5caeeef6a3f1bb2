/**
 * Messages of a conversation, some together: near or far, laid out or left for later, they go as one.
 *
 * The law: a token touches one message of hundreds; all the others are neither looked at nor rendered again.
 */

import type { ComponentChildren, VNode } from 'preact';
import { Component } from 'preact';
import type { Entry } from '../conversation';
import { AnswerView } from './answer';
import { usePanel } from './context';
import type { Sight } from './near';
import { SightContext } from './near';

/** How many go together. */
const TOGETHER = 8;

/** So many messages at the end are rendered at once: what is seen when a conversation is opened. */
const AT_ONCE = 8;

/** The messages of a conversation, `sight` for those of them that may wait until they are near. */
export function groups(entries: readonly Entry[], sight: Sight | null): VNode[] {
  const { length } = entries;
  return Array.from({ length: Math.ceil(length / TOGETHER) }, (_, index) => {
    const [from, to] = [index * TOGETHER, (index + 1) * TOGETHER];
    const far = to <= length - AT_ONCE;
    return (
      <Group
        key={from}
        entries={entries.slice(from, to)}
        before={from}
        newest={entries.at(-1)?.id ?? ''}
        sight={far ? sight : null}
      />
    );
  });
}

interface GroupProps {
  readonly entries: readonly Entry[];
  /** How many messages there are before them. */
  readonly before: number;
  /** The id of the conversation's last message. */
  readonly newest: string;
  readonly sight: Sight | null;
}

/** Whether the one shows what the other does. */
function same(one: GroupProps, other: GroupProps): boolean {
  return (
    one.newest === other.newest &&
    one.sight === other.sight &&
    one.entries.length === other.entries.length &&
    one.entries.every((entry, index) => entry === other.entries[index])
  );
}

class Group extends Component<GroupProps> {
  override shouldComponentUpdate(next: GroupProps): boolean {
    return !same(this.props, next);
  }

  override render({ entries, before, newest, sight }: GroupProps): ComponentChildren {
    return (
      <SightContext.Provider value={sight}>
        <div class="jp-Assistant-group">
          {entries.map((entry, index) => (
            <Message key={entry.id} entry={entry} number={before + index + 1} last={entry.id === newest} />
          ))}
        </div>
      </SightContext.Provider>
    );
  }
}

interface MessageProps {
  readonly entry: Entry;
  /** Counted from 1. */
  readonly number: number;
  readonly last: boolean;
}

function Message({ entry, number, last }: MessageProps): VNode {
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
