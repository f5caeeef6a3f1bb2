/** What a new conversation says before the first question, and questions to begin with. */

import type { VNode } from 'preact';
import type { Subject, Trans } from '../host';
import { useChat, usePanel } from './context';
import { useSubject } from './subject';

export function EmptyState(): VNode {
  const { trans } = usePanel().host;
  const model = useChat(chat => chat.model);
  const subject = useSubject();
  return (
    <div class="jp-Assistant-empty">
      <h2>{subject ? trans.__('Ask about %1', subject.name) : trans.__('Ask the assistant')}</h2>
      <p>
        {subject
          ? trans.__('It reads the notebook as it is now: unsaved edits, outputs and errors.')
          : trans.__('Open a notebook, and it answers from its cells, outputs and errors.')}
      </p>
      {subject ? <Suggestions subject={subject} /> : null}
      {model === '' ? (
        <p class="jp-Assistant-note">
          {trans.__('No language model is connected. The built-in responder works offline, from the notebook alone.')}
        </p>
      ) : null}
    </div>
  );
}

/** Questions worth asking now, the most pressing first. `failing` is the number of a failed cell, or 0. */
export function suggestions(subject: Subject, failing: number, trans: Trans): string[] {
  return [
    failing ? trans.__('Why does cell %1 fail?', failing) : '',
    trans.__('What does this notebook do?'),
    subject.cell && subject.cell !== failing ? trans.__('Explain cell %1', subject.cell) : ''
  ].filter(Boolean);
}

function Suggestions({ subject }: { subject: Subject }): VNode {
  const { intents, host, focus } = usePanel();
  return (
    <ul class="jp-Assistant-suggestions" aria-label={host.trans.__('Questions to begin with')}>
      {suggestions(subject, host.failingCell(), host.trans).map(text => (
        <li key={text}>
          <button
            type="button"
            class="jp-Assistant-button"
            onClick={() => {
              intents.ask(text);
              focus();
            }}
          >
            {text}
          </button>
        </li>
      ))}
    </ul>
  );
}
