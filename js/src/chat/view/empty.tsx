/** What a new conversation says before the first question. */

import type { VNode } from 'preact';
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
      {model === '' ? (
        <p class="jp-Assistant-note">
          {trans.__('No language model is connected. The built-in responder works offline, from the notebook alone.')}
        </p>
      ) : null}
    </div>
  );
}
