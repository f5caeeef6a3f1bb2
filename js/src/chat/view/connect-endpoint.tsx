/**
 * Connecting an endpoint by its address and key: a well-known service, or any gateway.
 *
 * The law: a key lives in its input and nowhere else here; it goes to the server, and the input is emptied once it is
 * saved.
 */

import type { VNode } from 'preact';
import { useId, useRef, useState } from 'preact/hooks';
import { PRESETS, shortName } from '../models';
import type { Trial } from '../protocol';
import { useChat, usePanel } from './context';
import { FormEnd, Outcome, useTrying } from './trying';

/** What stands in the form at first, and the field that is to be mended. */
export interface Start {
  readonly at: 'key' | 'address';
  readonly base_url: string;
  readonly model: string;
}

interface Props {
  readonly preset: boolean;
  readonly start?: Start | null;
  readonly done: () => void;
}

export function EndpointForm({ preset, start = null, done }: Props): VNode {
  const { trans } = usePanel().host;
  const id = useId();
  const locked = useChat(chat => chat.locked);
  const key = useRef<HTMLInputElement>(null);
  const [url, setUrl] = useState<string>(start?.base_url ?? (preset ? PRESETS[0].base_url : ''));
  const [model, setModel] = useState(start?.model ?? '');
  const [filled, setFilled] = useState(false);
  const trying = useTrying();
  const { trial } = trying;
  const secret = (): { api_key?: string } => {
    const value = key.current?.value.trim();
    return value ? { api_key: value } : {};
  };
  const ready = url.trim() !== '' && (filled || !preset);
  const test = (base_url = url): void => {
    const name = model.trim();
    void trying.test({ base_url: base_url.trim(), ...secret(), ...(name ? { model: name } : {}) });
  };
  const save = async (): Promise<void> => {
    const name = trial && !trial.failure ? shortName(trial.model) : model.trim();
    const chosen = locked.includes('model') ? {} : { model: name ? `gateway/${name}` : null };
    if (await trying.save({ base_url: url.trim(), ...secret(), ...chosen })) {
      if (key.current) {
        key.current.value = '';
      }
      done();
    }
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Enter' && !event.isComposing && ready && trying.busy === 'no') {
      event.preventDefault();
      if (trial && !trial.failure) {
        void save();
      } else {
        test();
      }
    }
  };
  return (
    <>
      {preset ? (
        <>
          <label for={`${id}url`}>{trans.__('Service')}</label>
          <select
            id={`${id}url`}
            value={url}
            onChange={event => {
              setUrl(event.currentTarget.value);
              trying.reset();
            }}
          >
            {PRESETS.map(({ name, base_url }) => (
              <option key={name} value={base_url}>
                {name}
              </option>
            ))}
          </select>
        </>
      ) : (
        <>
          <label for={`${id}url`}>{trans.__('Base URL')}</label>
          <input
            id={`${id}url`}
            type="url"
            autocomplete="off"
            spellcheck={false}
            placeholder="https://gateway.example/v1"
            data-first={start?.at === 'address' || undefined}
            value={url}
            onInput={event => {
              setUrl(event.currentTarget.value);
              trying.reset();
            }}
            onKeyDown={onKeyDown}
          />
        </>
      )}
      {locked.includes('api_key') ? null : (
        <>
          <label for={`${id}key`}>{preset ? trans.__('Key') : trans.__('Key (if it wants one)')}</label>
          <input
            id={`${id}key`}
            ref={key}
            type="password"
            autocomplete="off"
            data-first={start?.at === 'key' || undefined}
            spellcheck={false}
            onInput={event => {
              setFilled(event.currentTarget.value.trim() !== '');
              trying.reset();
            }}
            onKeyDown={onKeyDown}
          />
        </>
      )}
      <label for={`${id}model`}>{trans.__('Model')}</label>
      <input
        id={`${id}model`}
        type="text"
        autocomplete="off"
        spellcheck={false}
        list={`${id}models`}
        placeholder={trans.__('Test to see the list')}
        value={model}
        onInput={event => {
          setModel(event.currentTarget.value);
          trying.reset();
        }}
        onKeyDown={onKeyDown}
      />
      <KnownModels
        id={`${id}models`}
        trial={trial}
        choose={name => {
          setModel(name);
          trying.reset();
        }}
      />
      <Outcome
        trying={trying}
        mend={suggestion => {
          setUrl(suggestion);
          test(suggestion);
        }}
      />
      <FormEnd
        trying={trying}
        ready={ready}
        test={() => {
          test();
        }}
        save={() => void save()}
      />
    </>
  );
}

/** What the endpoint has, once a test without a model's name has asked it: to type from, or to choose. */
function KnownModels({
  id,
  trial,
  choose
}: {
  id: string;
  trial: Trial | null;
  choose: (name: string) => void;
}): VNode {
  const { trans } = usePanel().host;
  const names = useRef<readonly string[]>([]);
  if (trial?.models.length) {
    names.current = trial.models;
  }
  return (
    <>
      <datalist id={id}>
        {names.current.map(name => (
          <option key={name} value={name} />
        ))}
      </datalist>
      {trial?.models.length ? (
        <select
          aria-label={trans.__('Models of this endpoint')}
          value=""
          onChange={event => {
            choose(event.currentTarget.value);
          }}
        >
          <option value="">{trans._n('Choose from %1 model…', 'Choose from %1 models…', trial.models.length)}</option>
          {trial.models.map(name => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      ) : null}
    </>
  );
}
