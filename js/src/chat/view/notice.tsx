/** A line above the composer: what is the matter with the conversations while answers still come. */

import type { VNode } from 'preact';
import { useChat, usePanel } from './context';

/** What concerns the shown conversation, and not only the list. */
const SEEN = ['store_unavailable', 'conversation_busy'];

export function Notice(): VNode | null {
  const { intents, host, focus } = usePanel();
  const { trans } = host;
  const complaint = useChat(chat => chat.complaint);
  if (!complaint || !SEEN.includes(complaint.code)) {
    return null;
  }
  const busy = complaint.code === 'conversation_busy';
  return (
    <div class="jp-Assistant-notice" role="status">
      <p>
        {busy
          ? trans.__('An answer is still running here; your question is back in the box.')
          : `${trans.__('Conversations are not saved just now.')} ${complaint.text}`}
      </p>
      {busy ? null : (
        <button
          type="button"
          class="jp-Assistant-button"
          onClick={() => {
            void intents.shelf.list();
            focus();
          }}
        >
          {trans.__('Try again')}
        </button>
      )}
    </div>
  );
}
