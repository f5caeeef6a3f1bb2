/**
 * What a screen reader is told: that an answer has begun and ended, politely; what went wrong, at once. Never tokens.
 */

import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Answer, Conversation } from '../conversation';
import { shown } from '../conversation';
import type { Trans } from '../host';
import { useChat, usePanel } from './context';
import { announcement } from './summary';

interface Said {
  readonly polite: string;
  readonly alert: string;
}

function sentences(answer: Answer, trans: Trans): Said {
  const { failure } = answer;
  return failure
    ? { polite: '', alert: `${failure.text} ${failure.hint}` }
    : { polite: announcement(answer, trans), alert: '' };
}

/** Whether there is news: an answer moved on here and now, rather than another one being shown. */
function news(before: Conversation, after: Conversation): Answer | null {
  const [old, answer] = [before.entries.at(-1), after.entries.at(-1)];
  if (answer?.role !== 'assistant') {
    return null;
  }
  if (old?.role === 'assistant' && old.id === answer.id) {
    return old.state !== answer.state || old.wire !== answer.wire ? answer : null;
  }
  return answer.state === 'running' || (before.key === after.key && answer.last > 0) ? answer : null;
}

export function Announcer(): VNode {
  const { trans } = usePanel().host;
  const conversation = useChat(shown);
  const before = useRef(conversation);
  const [said, setSaid] = useState<Said>({ polite: '', alert: '' });
  useEffect(() => {
    const answer = news(before.current, conversation);
    before.current = conversation;
    if (answer) {
      setSaid(sentences(answer, trans));
    }
  }, [conversation]);
  return (
    <>
      <div class="jp-Assistant-hidden" role="status">
        {said.polite}
      </div>
      <div class="jp-Assistant-hidden" role="alert">
        {said.alert}
      </div>
    </>
  );
}
