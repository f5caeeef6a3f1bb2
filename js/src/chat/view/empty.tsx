/** What a new conversation says before the first question, and questions to begin with. */

import type { VNode } from 'preact';
import type { Subject, Trans } from '../host';
import { connection } from '../models';
import { ConnectCard } from './connect';
import { useChat, usePanel } from './context';
import { useAbout, useSubject } from './subject';

export function EmptyState(): VNode {
  const { trans } = usePanel().host;
  const state = useChat(chat => (chat.catalogue ? connection(chat.catalogue) : null));
  const subject = useAbout();
  const left = useSubject() !== null && subject === null;
  return (
    <div class="jp-Assistant-empty">
      <h2>{subject ? trans.__('Ask about %1', subject.name) : trans.__('Ask the assistant')}</h2>
      <p>
        {subject ? trans.__('It reads the notebook as it is now: unsaved edits, outputs and errors.') : null}
        {left ? trans.__('The notebook is left out: answers come without it.') : null}
        {subject || left ? null : trans.__('Open a notebook, and it answers from its cells, outputs and errors.')}
      </p>
      {subject ? <Suggestions subject={subject} /> : null}
      {state === 'none' ? <ConnectCard /> : null}
      {state === 'unchosen' ? <Unchosen /> : null}
    </div>
  );
}

function Unchosen(): VNode {
  const { connections, host } = usePanel();
  return (
    <section class="jp-Assistant-card">
      <p>{host.trans.__('An endpoint is connected, but none of its models is chosen yet.')}</p>
      <button
        type="button"
        class="jp-Assistant-button"
        onClick={() => {
          connections.show('picker');
        }}
      >
        {host.trans.__('Choose a model')}
      </button>
    </section>
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
