/** One setting of the sheet: its label, its field, where its value comes from, what it is for, and what is wrong. */

import type { VNode } from 'preact';
import { useId } from 'preact/hooks';
import type { Trans } from '../host';
import type { Failure, Setting } from '../protocol';
import { typed } from '../settings';
import { usePanel } from './context';
import { LockIcon } from './icons';

interface Named {
  readonly label: string;
  readonly help: string;
}

/** The settings this panel has words for; another one has the server's. */
function named({ name, help }: Setting, trans: Trans): Named {
  const known: Readonly<Partial<Record<string, Named>>> = {
    model: {
      label: trans.__('Model'),
      help: trans.__('Answers when a question names none: provider/model, or as the endpoint names it.')
    },
    base_url: {
      label: trans.__('Base URL'),
      help: trans.__('Where an OpenAI-compatible endpoint is; most end in /v1.')
    },
    api_key: { label: trans.__('Key'), help: trans.__('Kept on the server, for this address alone; never shown.') },
    instructions: {
      label: trans.__('Your instructions'),
      help: trans.__('Added to the assistant’s own; at most 20,000 characters.')
    },
    context_tokens: {
      label: trans.__('Context, in tokens'),
      help: trans.__('The most that a question may take with all that goes with it.')
    },
    max_tokens: {
      label: trans.__('Longest answer, in tokens'),
      help: trans.__('0 leaves it to the endpoint.')
    },
    embeddings_base_url: {
      label: trans.__('Search by meaning: address'),
      help: trans.__(
        'Where an endpoint for embeddings is; the notebooks’ text goes there, secrets taken out. Off while empty.'
      )
    },
    embeddings_model: {
      label: trans.__('Search by meaning: model'),
      help: trans.__('As the endpoint names it; off while empty.')
    },
    embeddings_api_key: {
      label: trans.__('Search by meaning: key'),
      help: trans.__('Kept on the server, for that address alone; never shown.')
    },
    no_think: {
      label: trans.__('Models without reasoning'),
      help: trans.__('One pattern in a line, such as qwen3*: these are asked to answer at once.')
    }
  };
  return known[name] ?? { label: name, help };
}

function sourceName({ source, set, kind }: Setting, trans: Trans): string {
  const where = {
    user: trans.__('Yours'),
    administrator: trans.__('From the administrator'),
    environment: trans.__('From the environment'),
    default: trans.__('Default')
  }[source];
  if (kind !== 'secret') {
    return where;
  }
  return set ? trans.__('Set · %1', where) : trans.__('Not set');
}

interface Props {
  readonly setting: Setting;
  /** What is typed; null to go back to the administrator's value, undefined where nothing was touched. */
  readonly draft: string | null | undefined;
  readonly problem: Failure | null;
  /** Whether it is what the sheet was opened for. */
  readonly first: boolean;
  /** Is given the input of a key. */
  readonly secret: (input: HTMLInputElement | null) => void;
  /** Whether saving it makes the server forget the key. */
  readonly forgets: boolean;
  readonly write: (text: string | null | undefined) => void;
}

export function SettingField({ setting, draft, problem, first, secret, forgets, write }: Props): VNode {
  const { trans } = usePanel().host;
  const id = useId();
  const { label, help } = named(setting, trans);
  const { locked } = setting;
  const described = [`${id}about`, `${id}help`, problem ? `${id}problem` : ''];
  const attributes = {
    id: `${id}field`,
    disabled: locked,
    'aria-invalid': problem !== null,
    'aria-describedby': described.filter(Boolean).join(' '),
    'data-first': first || undefined,
    autocomplete: 'off',
    spellcheck: false
  };
  const value = draft === undefined ? typed(setting) : (draft ?? '');
  return (
    <div class={`jp-Assistant-setting${locked ? ' jp-mod-locked' : ''}`}>
      <div class="jp-Assistant-settingHead">
        <label for={`${id}field`}>{label}</label>
        <span id={`${id}about`}>
          {locked ? <LockIcon /> : null}
          {locked ? trans.__('Set by your administrator') : sourceName(setting, trans)}
        </span>
      </div>
      <Field setting={setting} attributes={attributes} value={value} secret={secret} write={write} />
      {problem ? (
        <p id={`${id}problem`} class="jp-Assistant-problem" role="alert">
          {problem.text.replace(`${setting.name}: `, '')} {problem.code === 'invalid' ? '' : problem.hint}
        </p>
      ) : null}
      {forgets ? (
        <p class="jp-Assistant-problem">
          {trans.__('The key that is set belongs to the old address: saving removes it, unless you give a new one.')}
        </p>
      ) : null}
      <p id={`${id}help`} class="jp-Assistant-line">
        {help}
      </p>
      <Back setting={setting} back={draft === null} write={write} />
    </div>
  );
}

interface FieldProps extends Pick<Props, 'setting' | 'secret' | 'write'> {
  /** What every field has, whatever is typed in it. */
  readonly attributes: Readonly<Record<string, string | boolean | undefined>>;
  readonly value: string;
}

/** Where it is typed: a key in its input alone, of anything else all that is typed is told. */
function Field({ setting: { name, kind, set }, attributes, value, secret, write }: FieldProps): VNode {
  const { trans } = usePanel().host;
  if (kind === 'secret') {
    const touch = (): void => {
      write(undefined);
    };
    const placeholder = set ? trans.__('Replace it by another one') : '';
    return <input {...attributes} ref={secret} type="password" placeholder={placeholder} onInput={touch} />;
  }
  const told = {
    value,
    onInput: (event: { readonly currentTarget: { readonly value: string } }) => {
      write(event.currentTarget.value);
    }
  };
  return kind === 'list' || name === 'instructions' ? (
    <textarea {...attributes} {...told} rows={3} />
  ) : (
    <input {...attributes} {...told} type="text" inputMode={kind === 'number' ? 'numeric' : 'text'} />
  );
}

/** The way back to the administrator's value, and out of it again while it is not saved. */
function Back({ setting, back, write }: Pick<Props, 'setting' | 'write'> & { readonly back: boolean }): VNode | null {
  const { trans } = usePanel().host;
  const { source, kind, locked } = setting;
  if (source !== 'user' || locked) {
    return null;
  }
  const [gone, go] =
    kind === 'secret'
      ? [trans.__('Removed by Save.'), trans.__('Remove the key')]
      : [trans.__('Goes back to its default by Save.'), trans.__('Back to the default')];
  return (
    <p class="jp-Assistant-line">
      {back ? `${gone} ` : null}
      <button
        type="button"
        class="jp-Assistant-textLink"
        onClick={() => {
          write(back ? undefined : null);
        }}
      >
        {back ? trans.__('Keep it') : go}
      </button>
    </p>
  );
}
