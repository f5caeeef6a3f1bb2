/** What the next question would be about, always in sight above the text. */

import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Subject } from '../host';
import { usePanel } from './context';
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

/** The text cursor moves often; what is asked about changes seldom. */
function unlessSame(before: Subject | null, after: Subject | null): Subject | null {
  const same = before?.name === after?.name && before?.cell === after?.cell && before?.selected === after?.selected;
  return same ? before : after;
}

export function SubjectLine(): VNode | null {
  const { trans } = usePanel().host;
  const subject = useSubject();
  if (!subject) {
    return null;
  }
  const parts = [
    subject.cell ? trans.__('cell %1', subject.cell) : '',
    subject.selected ? trans._n('%1 character selected', '%1 characters selected', subject.selected) : ''
  ];
  const where = parts.filter(Boolean).join(', ');
  return (
    <div class="jp-Assistant-subject" title={trans.__('The next question is about this')}>
      <NotebookIcon />
      <span class="jp-Assistant-cut">{subject.name}</span>
      {where ? <span class="jp-Assistant-where">{where}</span> : null}
    </div>
  );
}
