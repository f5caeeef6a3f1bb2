/**
 * A test of an endpoint by one small real call, how it went, and the two buttons under every form that does it.
 *
 * The law: one test at a time; what it said is of what stands in the form.
 */

import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { shortName } from '../models';
import type { Changes, Failure, Trial, Tried } from '../protocol';
import { usePanel } from './context';
import { DoneIcon } from './icons';

export interface Trying {
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

/** The answer to an older test is not shown. */
export function useTrying(): Trying {
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

/** How the test went, said once. */
export function Outcome({ trying, mend }: { trying: Trying; mend?: (suggestion: string) => void }): VNode {
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
export function FormEnd({ trying, ready, test, save }: EndProps): VNode {
  const { trans } = usePanel().host;
  const { trial, busy } = trying;
  const idle = busy === 'no';
  const savable = idle && ready && trial !== null;
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (trial) {
      box.current?.scrollIntoView({ block: 'nearest' });
    }
  }, [trial]);
  return (
    <div ref={box} class="jp-Assistant-formEnd">
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
