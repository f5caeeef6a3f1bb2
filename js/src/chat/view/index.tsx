/** The whole panel: header, transcript, composer, and what is only heard. */

import type { VNode } from 'preact';
import { Announcer } from './announcer';
import { Composer } from './composer';
import { usePanel } from './context';
import { Header } from './header';
import { Transcript } from './transcript';

export function View(): VNode {
  const { intents } = usePanel();
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
      <Transcript />
      <Composer />
      <Announcer />
    </div>
  );
}
