/** The whole panel: header, transcript, composer, and what is only heard. */

import type { VNode } from 'preact';
import { Announcer } from './announcer';
import { CellAims } from './cells';
import { Composer } from './composer';
import { ConnectSheet } from './connect';
import { useChat, usePanel } from './context';
import { Header } from './header';
import { Transcript } from './transcript';

export function View(): VNode {
  const { intents } = usePanel();
  const connecting = useChat(chat => chat.dialog === 'connect');
  return (
    <div
      class="jp-Assistant-panel"
      onKeyDown={event => {
        if (event.key === 'Escape' && !event.isComposing) {
          intents.stop();
        }
      }}
    >
      <Header />
      <CellAims>
        <Transcript />
      </CellAims>
      <Composer />
      {connecting ? <ConnectSheet /> : null}
      <Announcer />
    </div>
  );
}
