/**
 * Which model answers, in the composer's footer, and the list to choose another one from.
 *
 * The law: a model that no list has can be typed; one that the administrator has chosen is shown with its lock.
 */

import type { VNode } from 'preact';
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Trans } from '../host';
import type { Group } from '../models';
import { matching, RESPONDER, shortName, thousands, unlisted } from '../models';
import type { Catalogue, Failure, KnownModel } from '../protocol';
import { useChat, usePanel } from './context';
import { ListIcon, LockIcon } from './icons';
import { Problem } from './sheet';

/** The name of the model that answers now, short enough for a button. */
export function modelName(catalogue: Catalogue | null, trans: Trans): string {
  if (!catalogue) {
    return '…';
  }
  if (!catalogue.default) {
    return trans.__('Choose a model');
  }
  return catalogue.default === RESPONDER ? trans.__('Built-in responder') : shortName(catalogue.default);
}

export function ModelPicker(): VNode {
  const { connections, host } = usePanel();
  const { trans } = host;
  const catalogue = useChat(chat => chat.catalogue);
  const locked = useChat(chat => chat.locked.includes('model'));
  const open = useChat(chat => chat.dialog === 'picker');
  const button = useRef<HTMLButtonElement>(null);
  const name = modelName(catalogue, trans);
  const reason = trans.__('The administrator of this server has chosen the model.');
  return (
    <div class="jp-Assistant-model">
      <button
        ref={button}
        type="button"
        class="jp-Assistant-plain"
        aria-haspopup="dialog"
        aria-expanded={open}
        aria-disabled={locked}
        aria-label={locked ? `${trans.__('Model: %1', name)}. ${reason}` : trans.__('Model: %1', name)}
        title={locked ? reason : trans.__('Model: %1', catalogue?.default ?? name)}
        onClick={() => {
          if (!locked) {
            connections.show(open ? 'none' : 'picker');
          }
        }}
      >
        <span class="jp-Assistant-cut">{name}</span>
        {locked ? <LockIcon /> : <ListIcon />}
      </button>
      {open && catalogue && !locked ? <Picker catalogue={catalogue} button={button} /> : null}
    </div>
  );
}

interface PickerProps {
  readonly catalogue: Catalogue;
  readonly button: { current: HTMLButtonElement | null };
}

function Picker({ catalogue, button }: PickerProps): VNode {
  const { connections, intents, host, focus } = usePanel();
  const { trans } = host;
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const [search, setSearch] = useState('');
  const [failure, setFailure] = useState<Failure | null>(null);
  const [looking, setLooking] = useState(false);
  const { groups, more } = matching(catalogue, search);
  const typed = unlisted(catalogue, search);
  const options = [...groups.flatMap(({ models }) => models.map(model => model.id)), ...(typed ? [typed] : [])];
  const [aimed, setAimed] = useState(catalogue.default ?? '');
  const at = Math.max(0, options.indexOf(aimed));
  const active = options[at] ?? '';
  useOpen(box, button);
  useLayoutEffect(() => {
    box.current?.querySelector('[data-active]')?.scrollIntoView({ block: 'nearest' });
  }, [active]);

  const choose = async (model: string): Promise<void> => {
    const failed = await connections.choose(model);
    setFailure(failed);
    if (!failed) {
      intents.mended();
      connections.show('none');
      focus();
    }
  };
  const look = async (): Promise<void> => {
    setLooking(true);
    setFailure(await connections.look());
    setLooking(false);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && options.length) {
      event.preventDefault();
      setAimed(options[(at + step + options.length) % options.length] ?? '');
    } else if (event.key === 'Enter' && !event.isComposing && active) {
      event.preventDefault();
      void choose(active);
    }
  };
  return (
    <div ref={box} class="jp-Assistant-picker" role="dialog" aria-label={trans.__('Choose a model')}>
      <input
        type="text"
        role="combobox"
        autocomplete="off"
        spellcheck={false}
        placeholder={trans.__('Search or type a name')}
        aria-label={trans.__('Search models')}
        aria-expanded="true"
        aria-controls={`${id}list`}
        aria-activedescendant={active ? `${id}${options.indexOf(active)}` : undefined}
        value={search}
        onInput={event => {
          setSearch(event.currentTarget.value);
          setAimed('');
        }}
        onKeyDown={onKeyDown}
      />
      <div id={`${id}list`} class="jp-Assistant-options" role="listbox" aria-label={trans.__('Models')}>
        {groups.map(group => (
          <GroupView
            key={group.provider.name}
            group={group}
            id={id}
            first={options.indexOf(group.models[0]?.id ?? '')}
            active={active}
            current={catalogue.default}
            choose={model => void choose(model)}
          />
        ))}
        {typed ? (
          <Option
            id={`${id}${options.length - 1}`}
            active={active === typed}
            current={false}
            label={trans.__('Use “%1”', typed)}
            note=""
            choose={() => void choose(typed)}
          />
        ) : null}
      </div>
      {more ? (
        <p class="jp-Assistant-line">{trans._n('%1 more: type to find it', '%1 more: type to find them', more)}</p>
      ) : null}
      {failure ? <Problem failure={failure} /> : null}
      <div class="jp-Assistant-pickerEnd">
        <button
          type="button"
          class="jp-Assistant-textLink"
          aria-disabled={looking}
          onClick={() => void (looking || look())}
        >
          {looking ? trans.__('Looking…') : trans.__('Look for models')}
        </button>
        <button
          type="button"
          class="jp-Assistant-textLink"
          onClick={() => {
            connections.show('connect');
          }}
        >
          {trans.__('Connect a model…')}
        </button>
      </div>
    </div>
  );
}

interface GroupProps {
  readonly group: Group;
  readonly id: string;
  /** The position of its first model in the whole list. */
  readonly first: number;
  readonly active: string;
  readonly current: string | null;
  readonly choose: (model: string) => void;
}

function GroupView({ group: { provider, models }, id, first, active, current, choose }: GroupProps): VNode {
  const { trans } = usePanel().host;
  const plain = provider.name === 'offline';
  const note = (model: KnownModel): string => (model.context_tokens ? thousands(model.context_tokens) : '');
  return (
    <div role="group" aria-label={provider.label}>
      {plain ? null : (
        <div class="jp-Assistant-provider" aria-hidden="true">
          {provider.label}
        </div>
      )}
      {provider.failure ? <div class="jp-Assistant-line">{provider.failure.text}</div> : null}
      {models.map((model, index) => (
        <Option
          key={model.id}
          id={`${id}${first + index}`}
          active={model.id === active}
          current={model.id === current}
          label={plain ? trans.__('Built-in responder (offline)') : model.name}
          note={note(model)}
          choose={() => {
            choose(model.id);
          }}
        />
      ))}
    </div>
  );
}

interface OptionProps {
  readonly id: string;
  readonly active: boolean;
  readonly current: boolean;
  readonly label: string;
  readonly note: string;
  readonly choose: () => void;
}

/** Chosen with the mouse, or with the keys of the search box, which keeps the focus. */
function Option({ id, active, current, label, note, choose }: OptionProps): VNode {
  const { trans } = usePanel().host;
  return (
    <div
      id={id}
      role="option"
      class="jp-Assistant-option"
      aria-selected={current}
      data-active={active || undefined}
      title={label}
      onMouseDown={event => {
        event.preventDefault();
      }}
      onClick={choose}
    >
      <span class="jp-Assistant-cut">{label}</span>
      {note ? <small title={trans.__('Context window in tokens')}>{note}</small> : null}
    </div>
  );
}

/** Takes the focus; closes on Escape, which gives it back, and on a press or a focus outside. */
function useOpen(box: { current: HTMLElement | null }, button: { current: HTMLElement | null }): void {
  const { connections } = usePanel();
  useLayoutEffect(() => {
    const abort = new AbortController();
    const before = document.activeElement;
    const outside = ({ target }: Event): void => {
      if (target instanceof Node && !box.current?.contains(target) && !button.current?.contains(target)) {
        connections.show('none');
      }
    };
    const escape = (event: KeyboardEvent): void => {
      if (event.key === 'Escape' && !event.isComposing) {
        event.stopPropagation();
        connections.show('none');
        (before instanceof HTMLElement && before !== document.body ? before : button.current)?.focus();
      }
    };
    document.addEventListener('pointerdown', outside, { signal: abort.signal });
    document.addEventListener('focusin', outside, { signal: abort.signal });
    box.current?.addEventListener('keydown', escape, { signal: abort.signal });
    box.current?.querySelector('input')?.focus();
    return () => {
      abort.abort();
    };
  }, []);
}
