/** The whole panel: header, transcript, composer, and what is only heard. */

import type { VNode } from 'preact';
import { Announcer } from './announcer';
import { CellAims } from './cells';
import { Composer } from './composer';
import { ConnectSheet } from './connect';
import { useChat, usePanel } from './context';
import { Header } from './header';
import { Notice } from './notice';
import { SettingsSheet } from './settings';
import { Transcript } from './transcript';

export function View(): VNode {
  const { intents } = usePanel();
  const dialog = useChat(chat => chat.dialog);
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
      <Notice />
      <Composer />
      {dialog === 'connect' ? <ConnectSheet /> : null}
      {dialog === 'settings' ? <SettingsSheet /> : null}
      <Announcer />
    </div>
  );
}
