/**
 * Three ways to connect a language model, each tested by one real call before it is saved.
 *
 * The law: a key lives in its input and nowhere else here; it goes to the server, and the input is emptied once it is
 * saved.
 */

import type { ComponentChildren, VNode } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { localModels, PRESETS, shortName } from '../models';
import type { Changes, Failure, Trial, Tried } from '../protocol';
import { useChat, usePanel } from './context';
import { DoneIcon } from './icons';
import { Problem, Sheet } from './sheet';

type Way = 'local' | 'key' | 'gateway';

export function ConnectSheet(): VNode {
  const { connections, host } = usePanel();
  const close = (): void => {
    connections.show('none');
  };
  return (
    <Sheet title={host.trans.__('Connect a model')} close={close}>
      <Connect done={close} />
    </Sheet>
  );
}

/** The card of the empty state. */
export function ConnectCard(): VNode {
  const { host, focus } = usePanel();
  const { trans } = host;
  return (
    <section class="jp-Assistant-card" aria-label={trans.__('Connect a model')}>
      <h3>{trans.__('Connect a model')}</h3>
      <p>
        {trans.__('No language model is connected. The built-in responder works offline, from the notebook alone.')}
      </p>
      <Connect done={focus} />
    </section>
  );
}

function Connect({ done }: { done: () => void }): VNode {
  const { trans } = usePanel().host;
  const locked = useChat(chat => chat.locked);
  const [open, setOpen] = useState<Way | null>(null);
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
          <EndpointForm preset={false} done={done} />
        )
      )}
    </div>
  );
}

interface RowProps {
  readonly name: string;
  readonly about: string;
  readonly closed: boolean;
  readonly open: boolean;
  readonly toggle: () => void;
  readonly children: ComponentChildren;
}

function WayRow({ name, about, closed, open, toggle, children }: RowProps): VNode {
  return (
    <div class="jp-Assistant-way">
      <button
        type="button"
        aria-expanded={open}
        aria-disabled={closed}
        onClick={() => {
          if (!closed) {
            toggle();
          }
        }}
      >
        <strong>{name}</strong>
        <small>{about}</small>
      </button>
      {open ? <div class="jp-Assistant-form">{children}</div> : null}
    </div>
  );
}

interface Trying {
  readonly trial: Trial | null;
  readonly busy: 'no' | 'testing' | 'saving';
  /** Why saving failed. */
  readonly failure: Failure | null;
  readonly test: (tried: Tried) => Promise<void>;
  /** Whether the changes were saved. */
  readonly save: (changes: Changes) => Promise<boolean>;
  /** What was tested is not what stands in the form any more. */
  readonly reset: () => void;
}

/** One test at a time; the answer to an older one is not shown. */
function useTrying(): Trying {
  const { connections } = usePanel();
  const turn = useRef(0);
  const [trial, setTrial] = useState<Trial | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [busy, setBusy] = useState<Trying['busy']>('no');
  const reset = (): void => {
    turn.current += 1;
    setTrial(null);
    setFailure(null);
    setBusy('no');
  };
  const test = async (tried: Tried): Promise<void> => {
    reset();
    const mine = turn.current;
    setBusy('testing');
    const found = await connections.test(tried);
    if (mine === turn.current) {
      setTrial(found);
      setBusy('no');
    }
  };
  const save = async (changes: Changes): Promise<boolean> => {
    setBusy('saving');
    const failed = await connections.save(changes);
    setFailure(failed);
    setBusy('no');
    return failed === null;
  };
  return { trial, busy, failure, test, save, reset };
}

function LocalForm({ done }: { done: () => void }): VNode {
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

function EndpointForm({ preset, done }: { preset: boolean; done: () => void }): VNode {
  const { trans } = usePanel().host;
  const id = useId();
  const locked = useChat(chat => chat.locked);
  const key = useRef<HTMLInputElement>(null);
  const [url, setUrl] = useState<string>(preset ? PRESETS[0].base_url : '');
  const [model, setModel] = useState('');
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

/** How the test went, said once. */
function Outcome({ trying, mend }: { trying: Trying; mend?: (suggestion: string) => void }): VNode {
  const { trans } = usePanel().host;
  const { trial, failure, busy } = trying;
  const problem = failure ?? trial?.failure ?? null;
  return (
    <div class="jp-Assistant-outcome" role="status">
      {busy === 'testing' ? <p>{trans.__('Testing with one small call…')}</p> : null}
      {trial && !trial.failure ? (
        <p class="jp-Assistant-works">
          <DoneIcon />
          <span>{trans.__('%1 answered in %2 s', shortName(trial.model), trial.seconds.toFixed(2))}</span>
        </p>
      ) : null}
      {problem ? (
        <>
          <p class="jp-Assistant-problem">{problem.text}</p>
          {problem.hint ? <p class="jp-Assistant-hint">{problem.hint}</p> : null}
        </>
      ) : null}
      {trial?.suggestion && mend ? (
        <button
          type="button"
          class="jp-Assistant-button"
          onClick={() => {
            mend(trial.suggestion);
          }}
        >
          {trans.__('Use %1', shortened(trial.suggestion))}
        </button>
      ) : null}
    </div>
  );
}

/** The end of an address, which is what differs. */
function shortened(url: string): string {
  return `…${url.slice(url.lastIndexOf('/'))}`;
}

interface EndProps {
  readonly trying: Trying;
  readonly ready: boolean;
  readonly test: () => void;
  readonly save: () => void;
}

/** Test, and after it Save; also when it failed, for an endpoint that is only down just now. */
function FormEnd({ trying, ready, test, save }: EndProps): VNode {
  const { trans } = usePanel().host;
  const { trial, busy } = trying;
  const idle = busy === 'no';
  const savable = idle && ready && trial !== null;
  return (
    <div class="jp-Assistant-formEnd">
      <button
        type="button"
        class="jp-Assistant-button"
        aria-disabled={!ready || !idle}
        onClick={() => {
          if (ready && idle) {
            test();
          }
        }}
      >
        {trans.__('Test')}
      </button>
      <button
        type="button"
        class={`jp-Assistant-button${trial && !trial.failure ? ' jp-mod-accept' : ''}`}
        aria-disabled={!savable}
        title={savable ? undefined : trans.__('Test it first')}
        onClick={() => {
          if (savable) {
            save();
          }
        }}
      >
        {trial?.failure ? trans.__('Save anyway') : trans.__('Save')}
      </button>
    </div>
  );
}
