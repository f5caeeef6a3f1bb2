/**
 * A sheet over the whole panel, and the one that shows what would leave this machine.
 *
 * The law: a sheet takes the focus, keeps it, closes with Escape, and gives the focus back to where it came from.
 */

import type { ComponentChildren, VNode } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { failureOf } from '../faults';
import type { Trans } from '../host';
import { destination } from '../models';
import type { Failure, Preview, PreviewItem } from '../protocol';
import { useChat, usePanel } from './context';
import { CloseIcon } from './icons';

interface SheetProps {
  readonly title: string;
  readonly close: () => void;
  readonly children: ComponentChildren;
}

export function Sheet({ title, close, children }: SheetProps): VNode {
  const { trans } = usePanel().host;
  const box = useRef<HTMLDivElement>(null);
  useKeptFocus(box);
  return (
    <div
      ref={box}
      class="jp-Assistant-sheet"
      role="dialog"
      aria-modal="true"
      aria-label={title}
      onKeyDown={event => {
        if (event.key === 'Escape' && !event.isComposing) {
          event.stopPropagation();
          close();
        } else if (event.key === 'Tab') {
          turnRound(box.current, event);
        }
      }}
    >
      <div class="jp-Assistant-sheetHead">
        <h2>{title}</h2>
        <button
          type="button"
          class="jp-Assistant-plain"
          aria-label={trans.__('Close')}
          title={trans.__('Close (Escape)')}
          onClick={close}
        >
          <CloseIcon />
        </button>
      </div>
      <div class="jp-Assistant-sheetBody">{children}</div>
    </div>
  );
}

/** What the keyboard reaches: what is folded away is not among it. */
function focusable(box: HTMLElement | null): HTMLElement[] {
  const all = box?.querySelectorAll<HTMLElement>(
    'button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), summary, [tabindex="0"]'
  );
  return Array.from(all ?? []).filter(each => !each.closest('details:not([open]) > :not(summary)'));
}

/** Tab goes round inside the sheet. */
function turnRound(box: HTMLElement | null, event: KeyboardEvent): void {
  const all = focusable(box);
  const [first, last] = [all[0], all.at(-1)];
  if (document.activeElement === (event.shiftKey ? first : last)) {
    event.preventDefault();
    (event.shiftKey ? last : first)?.focus();
  }
}

function useKeptFocus(box: { current: HTMLElement | null }): void {
  const { focus } = usePanel();
  useLayoutEffect(() => {
    const before = document.activeElement;
    const first = box.current?.querySelector<HTMLElement>('[data-first]');
    (first ?? focusable(box.current)[0])?.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected && before !== document.body) {
        before.focus();
      } else {
        focus();
      }
    };
  }, []);
}

/** The exact request that the draft would make now, item by item. */
export function PreviewSheet({ text, close }: { text: string; close: () => void }): VNode {
  const { intents, host } = usePanel();
  const { trans } = host;
  const [preview, setPreview] = useState<Preview | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  useEffect(() => {
    let here = true;
    intents.preview(text || trans.__('What does this notebook do?')).then(
      found => {
        if (here) {
          setPreview(found);
        }
      },
      (error: unknown) => {
        if (here) {
          setFailure(failureOf(error, host));
        }
      }
    );
    return () => {
      here = false;
    };
  }, []);
  return (
    <Sheet title={trans.__('What leaves this machine')} close={close}>
      <Whereto />
      {text ? null : (
        <p class="jp-Assistant-line">{trans.__('Nothing is written yet; this is for an example question.')}</p>
      )}
      {failure ? <Problem failure={failure} /> : null}
      {preview ? <Contents preview={preview} /> : null}
      {preview || failure ? null : <p class="jp-Assistant-line">{trans.__('Reading the notebook…')}</p>}
    </Sheet>
  );
}

/** What went wrong and what to do next. */
export function Problem({ failure }: { failure: Failure }): VNode {
  return (
    <div class="jp-Assistant-error" role="alert">
      <p>{failure.text}</p>
      {failure.hint ? <p class="jp-Assistant-hint">{failure.hint}</p> : null}
    </div>
  );
}

function Whereto(): VNode {
  const { trans } = usePanel().host;
  const catalogue = useChat(chat => chat.catalogue);
  const where = catalogue ? destination(catalogue) : null;
  const sentences = {
    responder: trans.__('Nothing: the built-in responder reads all of this here.'),
    local: trans.__('All of this goes to %1, a server on this machine (%2).', where?.host ?? '', where?.model ?? ''),
    away: trans.__(
      'All of this goes to %1 (%2) with your question, and nothing else.',
      where?.host ?? '',
      where?.model ?? ''
    )
  };
  return <p>{where ? sentences[where.kind] : trans.__('No model is chosen yet, so nothing goes anywhere.')}</p>;
}

function Contents({ preview }: { preview: Preview }): VNode {
  const { trans } = usePanel().host;
  const { items, left_out, tokens, budget } = preview;
  const share = budget ? Math.min(100, (tokens / budget) * 100) : 0;
  return (
    <>
      <p class="jp-Assistant-total">
        {trans.__('About %1 of at most %2 tokens', tokens.toLocaleString(), budget.toLocaleString())}
      </p>
      <div class="jp-Assistant-gauge" aria-hidden="true">
        <div style={{ width: `${share}%` }} />
      </div>
      <ul class="jp-Assistant-items" aria-label={trans.__('What is sent')}>
        {items.map((item, index) => (
          <li key={index}>
            <ItemView item={item} />
          </li>
        ))}
      </ul>
      {left_out.length ? (
        <details class="jp-Assistant-item">
          <summary>
            <span>
              {trans._n('Left out for want of room: %1 item', 'Left out for want of room: %1 items', left_out.length)}
            </span>
          </summary>
          <ul class="jp-Assistant-left">
            {left_out.map((item, index) => (
              <li key={index}>{item.label}</li>
            ))}
          </ul>
        </details>
      ) : null}
    </>
  );
}

function ItemView({ item }: { item: PreviewItem }): VNode {
  const { trans } = usePanel().host;
  const marks = [
    kindName(item.kind, trans),
    trans._n('%2 token', '%2 tokens', item.tokens, item.tokens.toLocaleString()),
    item.truncated ? trans.__('shortened') : '',
    item.redacted ? trans._n('%1 secret hidden', '%1 secrets hidden', item.redacted) : ''
  ];
  return (
    <details class="jp-Assistant-item">
      <summary>
        <span class="jp-Assistant-itemName">{item.label}</span>
        <small>{marks.filter(Boolean).join(' · ')}</small>
      </summary>
      <pre tabIndex={0} aria-label={trans.__('Exact text of %1', item.label)}>
        {item.text}
      </pre>
    </details>
  );
}

/** What an item is, in a word; empty where its label says it already. */
export function kindName(kind: string, trans: Trans): string {
  switch (kind) {
    case 'output':
      return trans.__('output');
    case 'error':
      return trans.__('error');
    case 'history':
      return trans.__('said before');
    default:
      return '';
  }
}
