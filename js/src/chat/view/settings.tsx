/**
 * The server's settings of this user, as a sheet: every field with its help, where its value comes from, and its lock.
 *
 * The law: what is typed leaves only by Save or by Discard. A key lives in its input and nowhere else here.
 */

import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Changes, Failure, Setting } from '../protocol';
import type { Drafts } from '../settings';
import { changes, ordered } from '../settings';
import { ClientsCard } from './clients';
import { useChat, usePanel } from './context';
import { SettingField } from './setting';
import { Problem, Sheet } from './sheet';

interface Form {
  readonly drafts: Drafts;
  readonly failure: Failure | null;
  readonly state: 'idle' | 'saving' | 'saved';
  /** What is typed and not saved, without the keys. */
  readonly changed: () => Changes;
  readonly write: (name: string, text: string | null | undefined) => void;
  /** Whether all of it was saved. */
  readonly save: () => Promise<boolean>;
}

/** The inputs of keys, by the setting's name. */
type Secrets = Map<string, HTMLInputElement>;

/** The keys that are typed. */
function typedKeys(secrets: Secrets): Changes {
  const filled = Array.from(secrets, ([name, { value }]) => [name, value.trim()] as const);
  return Object.fromEntries(filled.filter(([, value]) => value));
}

function useForm(secrets: Secrets): Form {
  const { connections } = usePanel();
  const settings = useChat(chat => chat.settings) ?? [];
  const [drafts, setDrafts] = useState<Drafts>({});
  const now = useRef(drafts); // what is typed and not painted yet is saved too
  const take = (next: Drafts): void => {
    now.current = next;
    setDrafts(next);
  };
  const [failure, setFailure] = useState<Failure | null>(null);
  const [state, setState] = useState<Form['state']>('idle');
  const changed = (): Changes => changes(settings, now.current);
  const save = async (): Promise<boolean> => {
    const all = { ...changed(), ...typedKeys(secrets) };
    if (!Object.keys(all).length) {
      return true;
    }
    setState('saving');
    const failed = await connections.save(all);
    setFailure(failed);
    setState(failed ? 'idle' : 'saved');
    if (failed) {
      return false;
    }
    secrets.forEach(input => {
      input.value = '';
    });
    take({});
    return true;
  };
  return {
    drafts,
    failure,
    state,
    changed,
    write: (name, text) => {
      take({ ...now.current, [name]: text });
      setFailure(before => (before?.field === name ? null : before));
      setState('idle');
    },
    save
  };
}

export function SettingsSheet(): VNode {
  const { connections, intents, host } = usePanel();
  const { trans } = host;
  const settings = useChat(chat => chat.settings);
  const wanted = useChat(chat => (chat.mending?.remedy === 'budget' ? 'context_tokens' : ''));
  const [secrets] = useState<Secrets>(() => new Map());
  const form = useForm(secrets);
  const [asking, setAsking] = useState(false);
  const [unknown, setUnknown] = useState<Failure | null>(null);
  const { failure } = form;
  useEffect(() => {
    void connections.learn().then(setUnknown);
  }, []);
  const close = (): void => {
    connections.show('none');
  };
  const saveAndClose = async (): Promise<void> => {
    if (await save()) {
      close();
    }
  };
  const save = async (): Promise<boolean> => {
    const saved = await form.save();
    setAsking(false);
    if (saved && wanted) {
      intents.mended();
      close();
    }
    return saved;
  };
  return (
    <Sheet
      title={trans.__('Settings')}
      close={() => {
        if (Object.keys({ ...form.changed(), ...typedKeys(secrets) }).length) {
          setAsking(!asking);
        } else {
          close();
        }
      }}
    >
      {unknown && !settings ? <Problem failure={unknown} /> : null}
      {settings || unknown ? null : <p class="jp-Assistant-line">{trans.__('Loading…')}</p>}
      {wanted ? null : <ClientsCard />}
      <form
        class="jp-Assistant-form jp-Assistant-settings"
        onSubmit={event => {
          event.preventDefault();
          void save();
        }}
      >
        {ordered(settings ?? []).map(setting => (
          <SettingField
            key={setting.name}
            setting={setting}
            draft={form.drafts[setting.name]}
            problem={failure?.field === setting.name ? failure : null}
            first={setting.name === wanted}
            secret={input => {
              if (input) {
                secrets.set(setting.name, input);
              } else {
                secrets.delete(setting.name);
              }
            }}
            forgets={setting.name in form.changed() && (settings ?? []).some(each => isOwnKey(each, setting))}
            write={text => {
              form.write(setting.name, text);
            }}
          />
        ))}
        {failure && !settings?.some(({ name }) => name === failure.field) ? <Problem failure={failure} /> : null}
        <Preferences />
        {asking ? (
          <Unsaved save={() => void saveAndClose()} discard={close} />
        ) : (
          <div class="jp-Assistant-formEnd jp-Assistant-settingsEnd">
            <span class="jp-Assistant-line" role="status">
              {form.state === 'saved' ? trans.__('Saved') : ''}
            </span>
            <button type="submit" class="jp-Assistant-button jp-mod-accept" aria-disabled={form.state === 'saving'}>
              {trans.__('Save')}
            </button>
          </div>
        )}
      </form>
    </Sheet>
  );
}

/** Whether it is the user's own key for the address. */
function isOwnKey({ name, source }: Setting, address: Setting): boolean {
  return source === 'user' && address.name.endsWith('base_url') && name === address.name.replace('base_url', 'api_key');
}

/** What JupyterLab itself keeps: the off switch and the announcements. */
function Preferences(): VNode | null {
  const { host } = usePanel();
  const { preferences, trans } = host;
  if (!preferences) {
    return null;
  }
  return (
    <p class="jp-Assistant-line">
      <button type="button" class="jp-Assistant-textLink" onClick={preferences}>
        {trans.__('Announcements, the off switch and shortcuts: JupyterLab’s settings')}
      </button>
    </p>
  );
}

function Unsaved({ save, discard }: { save: () => void; discard: () => void }): VNode {
  const { trans } = usePanel().host;
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => button.current?.focus(), []);
  return (
    <div class="jp-Assistant-formEnd jp-Assistant-settingsEnd">
      <span class="jp-Assistant-line" role="alert">
        {trans.__('Not saved yet')}
      </span>
      <button type="button" class="jp-Assistant-button" onClick={discard}>
        {trans.__('Discard')}
      </button>
      <button ref={button} type="button" class="jp-Assistant-button jp-mod-accept" onClick={save}>
        {trans.__('Save and close')}
      </button>
    </div>
  );
}
