/** Connecting a server on this machine: it is looked for, and one of its models is chosen. */

import type { VNode } from 'preact';
import { useEffect, useId, useState } from 'preact/hooks';
import { localModels } from '../models';
import type { Failure } from '../protocol';
import { useChat, usePanel } from './context';
import { Problem } from './sheet';
import { FormEnd, Outcome, useTrying } from './trying';

export function LocalForm({ done }: { done: () => void }): VNode {
  const { connections, host } = usePanel();
  const { trans } = host;
  const id = useId();
  const models = localModels(useChat(chat => chat.catalogue));
  const [looking, setLooking] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [chosen, setChosen] = useState('');
  const trying = useTrying();
  const model = models.some(each => each.id === chosen) ? chosen : (models[0]?.id ?? '');
  const look = async (): Promise<void> => {
    setLooking(true);
    setFailure(await connections.look());
    setLooking(false);
  };
  const save = async (): Promise<void> => {
    if (await trying.save({ model })) {
      done();
    }
  };
  useEffect(() => {
    void look();
  }, []);
  if (looking && !models.length) {
    return <p role="status">{trans.__('Looking on this machine…')}</p>;
  }
  if (!models.length) {
    return (
      <>
        {failure ? (
          <Problem failure={failure} />
        ) : (
          <p role="status">
            {trans.__('Nothing answers on the usual ports (11434, 1234, 8080, 8000). Start a server, then look again.')}
          </p>
        )}
        <div class="jp-Assistant-formEnd">
          <button type="button" class="jp-Assistant-button" onClick={() => void look()}>
            {trans.__('Look again')}
          </button>
        </div>
      </>
    );
  }
  return (
    <>
      <label for={`${id}model`}>{trans.__('Model')}</label>
      <select
        id={`${id}model`}
        value={model}
        onChange={event => {
          setChosen(event.currentTarget.value);
          trying.reset();
        }}
      >
        {models.map(each => (
          <option key={each.id} value={each.id}>
            {each.id}
          </option>
        ))}
      </select>
      <Outcome trying={trying} />
      <FormEnd trying={trying} ready={model !== ''} test={() => void trying.test({ model })} save={() => void save()} />
    </>
  );
}
