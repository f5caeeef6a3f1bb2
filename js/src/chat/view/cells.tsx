/**
 * What can be done with a code block: copy it, or put it into the open notebook.
 *
 * The law: a use that is not possible now stays in its place and says why; only a whole block goes into a notebook.
 */

import type { ComponentChildren, VNode } from 'preact';
import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import type { CellUse, Host, Trans } from '../host';
import { usePanel } from './context';
import { CopyIcon, DoneIcon, InsertIcon, ReplaceIcon, RunIcon } from './icons';

const DONE_MS = 1_500;

/** Why code cannot be inserted or replace a cell now; empty when it can. Null without notebooks. */
interface Aims {
  readonly insert: string;
  readonly replace: string;
}

const AimsContext = createContext<Aims | null>(null);

function look({ cells }: Host): Aims | null {
  return cells ? { insert: cells.obstacle('insert'), replace: cells.obstacle('replace') } : null;
}

/** Looks at the notebook once for all code blocks. */
export function CellAims({ children }: { children: ComponentChildren }): VNode {
  const { host, signal } = usePanel();
  const [aims, setAims] = useState(() => look(host));
  useEffect(() => {
    const abort = new AbortController();
    const again = (): void => {
      setAims(before => unlessSame(before, look(host)));
    };
    host.onSubject(again, AbortSignal.any([abort.signal, signal]));
    again();
    return () => {
      abort.abort();
    };
  }, [host]);
  return <AimsContext.Provider value={aims}>{children}</AimsContext.Provider>;
}

function unlessSame(before: Aims | null, after: Aims | null): Aims | null {
  return before?.insert === after?.insert && before?.replace === after?.replace ? before : after;
}

interface Props {
  readonly code: string;
  readonly language: string;
  readonly whole: boolean;
}

const ICONS = { insert: InsertIcon, replace: ReplaceIcon, run: RunIcon } as const;
const USES = ['insert', 'replace', 'run'] as const;

function label(use: CellUse, trans: Trans): string {
  switch (use) {
    case 'insert':
      return trans.__('Insert below');
    case 'replace':
      return trans.__('Replace cell');
    case 'run':
      return trans.__('Insert and run');
  }
}

export function CodeActions({ code, language, whole }: Props): VNode {
  const { host } = usePanel();
  const { cells, trans } = host;
  const aims = useContext(AimsContext);
  return (
    <div class="jp-Assistant-codeActions">
      {cells && aims && whole
        ? USES.map(use => (
            <ActionButton
              key={use}
              label={label(use, trans)}
              done={trans.__('Done')}
              obstacle={use === 'replace' ? aims.replace : aims.insert}
              icon={ICONS[use]}
              act={() => cells.put(use, code, language)}
            />
          ))
        : null}
      <ActionButton
        label={trans.__('Copy')}
        done={trans.__('Copied')}
        obstacle=""
        icon={CopyIcon}
        act={() => host.copy(code).then(() => '')}
      />
    </div>
  );
}

interface ActionProps {
  readonly label: string;
  readonly done: string;
  readonly obstacle: string;
  readonly icon: () => VNode;
  /** Does it; gives what was in the way, empty when it is done. */
  readonly act: () => Promise<string>;
}

/** A button that says for a moment that it is done, and all the time what is in its way. */
export function ActionButton({ label, done, obstacle, icon: Icon, act }: ActionProps): VNode {
  const [ended, end] = useEnded();
  const click = (): void => {
    if (!obstacle) {
      act().then(
        hindered => {
          if (!hindered) {
            end();
          }
        },
        () => undefined
      );
    }
  };
  return (
    <button
      type="button"
      class="jp-Assistant-plain"
      aria-label={ended ? done : label}
      aria-disabled={obstacle !== '' || undefined}
      title={obstacle ? `${label}: ${obstacle}` : label}
      onClick={click}
    >
      {ended ? <DoneIcon /> : <Icon />}
    </button>
  );
}

/** Whether something has just been done, and the call that says so. */
function useEnded(): [boolean, () => void] {
  const [count, setCount] = useState(0);
  useEffect(() => {
    const timer = setTimeout(() => {
      setCount(0);
    }, DONE_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [count]);
  return [
    count > 0,
    () => {
      setCount(before => before + 1);
    }
  ];
}
