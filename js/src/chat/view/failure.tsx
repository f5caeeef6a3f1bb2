/**
 * How an answer failed, in words, and the one thing to do about it.
 *
 * The law: one button, whatever happened; where it goes away with the focus in it, the composer takes the focus.
 */

import type { VNode } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Answer, Remedy } from '../conversation';
import { shown } from '../conversation';
import type { Trans } from '../host';
import type { Failure } from '../protocol';
import type { Circumstances } from '../remedies';
import { biggest, circumstances, remedy } from '../remedies';
import { useChat, usePanel } from './context';
import { charactersSummary } from './summary';

/** Faults of an endpoint, of which its keeper wants to know more. */
const ENDPOINT = /^(gateway_(down|timeout|failed)|endpoint_not_found|not_a_gateway|request_rejected|internal)$/;

export function ErrorCard({ answer, failure, last }: { answer: Answer; failure: Failure; last: boolean }): VNode {
  const { trans } = usePanel().host;
  const { code, text, hint } = failure;
  return (
    <div class="jp-Assistant-error">
      {code === 'no_model' ? <p>{trans.__('No model yet')}</p> : null}
      <p>{text}</p>
      {answer.until === null ? hint && <p class="jp-Assistant-hint">{hint}</p> : <Countdown until={answer.until} />}
      {code === 'context_too_long' ? <Biggest answer={answer} /> : null}
      {ENDPOINT.test(code) ? <Details answer={answer} code={code} /> : null}
      {last ? <RemedyButton answer={answer} /> : null}
    </div>
  );
}

/** Seconds until it is asked again; told to the eye only, as the alert has told it once already. */
function Countdown({ until }: { until: number }): VNode {
  const { trans } = usePanel().host;
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => {
      setNow(Date.now());
    }, 250);
    return () => {
      clearInterval(timer);
    };
  }, [until]);
  const seconds = Math.max(0, Math.ceil((until - now) / 1_000));
  return (
    <p class="jp-Assistant-hint" role="timer">
      {trans.__('Rate limited. Retrying in %1 s', seconds)}
    </p>
  );
}

function Biggest({ answer }: { answer: Answer }): VNode | null {
  const { trans } = usePanel().host;
  const items = biggest(answer);
  if (!items.length) {
    return null;
  }
  return (
    <>
      <p class="jp-Assistant-hint">{trans.__('What takes the most room:')}</p>
      <ul class="jp-Assistant-given">
        {items.map((item, index) => (
          <li key={index}>
            <span>{item.label}</span>
            <small>{charactersSummary(item.chars, trans)}</small>
          </li>
        ))}
      </ul>
    </>
  );
}

function Details({ answer, code }: { answer: Answer; code: string }): VNode {
  const { trans } = usePanel().host;
  const rows = [
    [trans.__('Error'), code],
    [trans.__('Model'), answer.model],
    [trans.__('Answer'), answer.run_id]
  ].filter(([, value]) => value);
  return (
    <details class="jp-Assistant-fold jp-Assistant-details">
      <summary>{trans.__('Details')}</summary>
      <dl>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

export function remedyLabel(kind: Remedy, keyed: boolean, trans: Trans): string {
  const labels: Readonly<Record<Remedy, string>> = {
    retry: trans.__('Try again'),
    continue: trans.__('Continue'),
    edit: trans.__('Edit the question'),
    reconnect: trans.__('Reconnect'),
    connect: trans.__('Connect a model'),
    key: keyed ? trans.__('Replace the key') : trans.__('Give a key'),
    address: trans.__('Change the address'),
    model: trans.__('Choose a model'),
    budget: trans.__('Give less context'),
    fresh: trans.__('Ask in a new conversation'),
    bare: trans.__('Ask without the notebook'),
    cancel: trans.__('Cancel')
  };
  return labels[kind];
}

/** These open a sheet, which takes the focus and gives it back. */
const OPENS: readonly Remedy[] = ['connect', 'key', 'address', 'model', 'budget'];

function same(one: Circumstances, other: Circumstances): boolean {
  const { connected, locked, later, keyed } = one;
  return connected === other.connected && locked === other.locked && later === other.later && keyed === other.keyed;
}

function useCircumstances(): Circumstances {
  const before = useRef<Circumstances>(undefined);
  return useChat(chat => {
    const now = circumstances(chat, shown(chat));
    before.current = before.current && same(before.current, now) ? before.current : now;
    return before.current;
  });
}

export function RemedyButton({ answer }: { answer: Answer }): VNode | null {
  const { intents, host, focus } = usePanel();
  const around = useCircumstances();
  const kind = remedy(answer, around);
  const button = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    const ours = button.current;
    return () => {
      if (ours && document.activeElement === ours) {
        focus();
      }
    };
  }, [kind === null]);
  if (!kind) {
    return null;
  }
  return (
    <button
      ref={button}
      type="button"
      class="jp-Assistant-button"
      onClick={() => {
        intents.remedy(answer, kind);
        if (!OPENS.includes(kind)) {
          focus();
        }
      }}
    >
      {remedyLabel(kind, around.keyed, host.trans)}
    </button>
  );
}
