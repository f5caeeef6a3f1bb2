/**
 * What the next question is about, always in sight above the text: a chip each for notebook, cell and selection.
 *
 * The law: the chips follow the user, and one that is switched off stays where it is, to be switched on again.
 */

import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Part, Subject, Trans } from '../host';
import { about } from '../subject';
import { useChat, usePanel } from './context';
import { NotebookIcon } from './icons';

/** The notebook, cell and selection of now; null without a notebook. */
export function useSubject(): Subject | null {
  const { host, signal } = usePanel();
  const [subject, setSubject] = useState(() => host.subject());
  useEffect(() => {
    const abort = new AbortController();
    const look = (): void => {
      setSubject(before => unlessSame(before, host.subject()));
    };
    host.onSubject(look, AbortSignal.any([abort.signal, signal]));
    look();
    return () => {
      abort.abort();
    };
  }, [host]);
  return subject;
}

/** The same without what is left out. */
export function useAbout(): Subject | null {
  const subject = useSubject();
  const left = useChat(chat => chat.left);
  return about(subject, left);
}

/** The text cursor moves often; what is asked about changes seldom. */
function unlessSame(before: Subject | null, after: Subject | null): Subject | null {
  const same = before?.name === after?.name && before?.cell === after?.cell && before?.selected === after?.selected;
  return same ? before : after;
}

interface Chip {
  readonly part: Part;
  readonly label: string;
  /** What it is, in full. */
  readonly what: string;
}

function chips(subject: Subject, left: readonly Part[], trans: Trans): Chip[] {
  const { name, cell, selected } = subject;
  const notebook: Chip = { part: 'notebook', label: name, what: trans.__('Notebook %1', name) };
  if (left.includes('notebook')) {
    return [notebook];
  }
  const number = trans.__('Cell %1', cell);
  const characters = trans._n('Selection of %1 character', 'Selection of %1 characters', selected);
  return [
    notebook,
    ...(cell ? [{ part: 'cell', label: number, what: number } as const] : []),
    ...(selected ? [{ part: 'selection', label: trans.__('%1 selected', selected), what: characters } as const] : [])
  ];
}

export function SubjectChips(): VNode | null {
  const { trans } = usePanel().host;
  const subject = useSubject();
  const left = useChat(chat => chat.left);
  if (!subject) {
    return null;
  }
  return (
    <div class="jp-Assistant-subject" role="group" aria-label={trans.__('The next question is about')}>
      {chips(subject, left, trans).map(chip => (
        <ChipButton key={chip.part} chip={chip} on={!left.includes(chip.part)} />
      ))}
    </div>
  );
}

function ChipButton({ chip: { part, label, what }, on }: { chip: Chip; on: boolean }): VNode {
  const { intents, host } = usePanel();
  const { trans } = host;
  return (
    <button
      type="button"
      class={`jp-Assistant-part jp-mod-${part}`}
      aria-pressed={on}
      aria-label={what}
      title={
        on
          ? trans.__('%1 goes with the question. Click to leave it out.', what)
          : trans.__('%1 is left out. Click to let it go with the question.', what)
      }
      onClick={() => {
        intents.leaveOut(part, on);
      }}
    >
      {part === 'notebook' ? <NotebookIcon /> : null}
      <span class="jp-Assistant-cut">{label}</span>
    </button>
  );
}
