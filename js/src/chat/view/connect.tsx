/**
 * Three ways to connect a language model, each tested by one real call before it is saved: as a sheet, and as the card
 * of the empty state.
 */

import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { endpointOf } from '../models';
import type { Start } from './connect-endpoint';
import { EndpointForm } from './connect-endpoint';
import { LocalForm } from './connect-local';
import { useChat, usePanel } from './context';
import { Sheet } from './sheet';
import { WayRow } from './way';

type Way = 'local' | 'key' | 'gateway';

/** Where a key was rejected or an address was wrong, the form that mends it is open, at that field. */
function useStart(): Start | null {
  const { store } = usePanel();
  const [start] = useState<Start | null>(() => {
    const { mending, conversations, catalogue } = store.chat;
    const failed = conversations[mending?.key ?? '']?.entries.find(({ id }) => id === mending?.answer);
    if (failed?.role !== 'assistant' || (mending?.remedy !== 'key' && mending?.remedy !== 'address')) {
      return null;
    }
    return { at: mending.remedy, ...endpointOf(catalogue, failed.model) };
  });
  return start;
}

export function ConnectSheet(): VNode {
  const { connections, intents, host } = usePanel();
  const start = useStart();
  const close = (): void => {
    connections.show('none');
  };
  return (
    <Sheet title={host.trans.__('Connect a model')} close={close}>
      <Connect
        start={start}
        done={() => {
          intents.mended();
          close();
        }}
      />
    </Sheet>
  );
}

export function ConnectCard(): VNode {
  const { host, focus } = usePanel();
  const { trans } = host;
  return (
    <section class="jp-Assistant-card" aria-label={trans.__('Connect a model')}>
      <h3>{trans.__('Connect a model')}</h3>
      <p>
        {trans.__('No language model is connected. The built-in responder works offline, from the notebook alone.')}
      </p>
      <Connect start={null} done={focus} />
    </section>
  );
}

function Connect({ start, done }: { start: Start | null; done: () => void }): VNode {
  const { trans } = usePanel().host;
  const locked = useChat(chat => chat.locked);
  const [open, setOpen] = useState<Way | null>(start ? 'gateway' : null);
  const blocked = (names: string[]): boolean => names.some(name => locked.includes(name));
  const row = (way: Way, name: string, about: string, closed: boolean, content: () => VNode): VNode => (
    <WayRow
      name={name}
      about={closed ? trans.__('Locked by the administrator of this server.') : about}
      closed={closed}
      open={open === way}
      toggle={() => {
        setOpen(open === way ? null : way);
      }}
    >
      {open === way ? content() : null}
    </WayRow>
  );
  return (
    <div class="jp-Assistant-ways">
      {row(
        'local',
        trans.__('Look for a local model'),
        trans.__('Ollama, LM Studio, llama.cpp, vLLM'),
        blocked(['model']),
        () => (
          <LocalForm done={done} />
        )
      )}
      {row('key', trans.__('Paste a key'), trans.__('OpenAI or OpenRouter'), blocked(['base_url', 'api_key']), () => (
        <EndpointForm preset done={done} />
      ))}
      {row(
        'gateway',
        trans.__('Use a gateway'),
        trans.__('Any OpenAI-compatible address'),
        blocked(['base_url']),
        () => (
          <EndpointForm preset={false} start={start} done={done} />
        )
      )}
    </div>
  );
}
