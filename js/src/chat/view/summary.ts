/** Short sentences about an answer, for the eye and for a screen reader; pure. */

import type { Answer } from '../conversation';
import type { Trans } from '../host';
import type { Given, Usage } from '../protocol';

/** What the model was given, as "analysis.ipynb, cell 3, 2 errors". A failed cell is an item of kind `error`. */
export function givenSummary(given: Given, trans: Trans): string {
  const of = (kind: string): Given['items'] => given.items.filter(item => item.kind === kind);
  const counted = (kind: string, one: string, many: string): string | null => {
    const items = of(kind);
    if (items.length === 1 && kind === 'cell') {
      return items[0]?.label ?? null;
    }
    return items.length === 0 ? null : trans._n(one, many, items.length);
  };
  const name = given.items
    .find(item => item.path)
    ?.path.split('/')
    .at(-1);
  const parts = [
    name,
    counted('cell', '%1 cell', '%1 cells'),
    of('selection').length ? trans.__('the selection') : null,
    counted('error', '%1 error', '%1 errors'),
    counted('output', '%1 output', '%1 outputs')
  ];
  return parts.filter(Boolean).join(', ');
}

/** A count of characters, as "2,881 characters". */
export function charactersSummary(count: number, trans: Trans): string {
  return trans._n('%2 character', '%2 characters', count, count.toLocaleString());
}

/** Tokens, seconds and cost, as "1,240 in · 310 out · 2.4 s". */
export function usageSummary(usage: Usage, trans: Trans): string {
  const tokens =
    usage.input_tokens || usage.output_tokens
      ? trans.__('%1 in · %2 out', usage.input_tokens.toLocaleString(), usage.output_tokens.toLocaleString())
      : '';
  const seconds = usage.seconds >= 0.05 ? trans.__('%1 s', usage.seconds.toFixed(1)) : '';
  const cost = usage.cost === null ? '' : `${usage.cost.toPrecision(2)} ${usage.currency}`.trim();
  return [tokens, seconds, cost].filter(Boolean).join(' · ');
}

/** Whether the model thinks, and has not begun to answer. */
export function thinking({ state, text }: Answer): boolean {
  return state === 'running' && !text;
}

/** The thinking in one line, as "Thought for 12 s" where its time was witnessed. */
export function thoughtSummary(answer: Answer, trans: Trans): string {
  if (thinking(answer)) {
    return trans.__('Thinking…');
  }
  const { thought } = answer;
  const seconds = thought ? Math.round((thought.to - thought.from) / 1000) : 0;
  return seconds > 0 ? trans.__('Thought for %1 s', seconds) : trans.__('Thoughts');
}

/** What a running answer is doing. */
export function progress(answer: Answer, trans: Trans): string {
  if (answer.stopping) {
    return trans.__('Stopping…');
  }
  if (answer.wire === 'lost') {
    return trans.__('Reconnecting…');
  }
  if (answer.wire === 'whole') {
    return trans.__('Waiting for the whole answer…');
  }
  if (answer.status) {
    return answer.status;
  }
  if (answer.text) {
    return trans.__('Generating…');
  }
  return answer.reasoning ? trans.__('Thinking…') : waiting(answer, trans);
}

/** What stands below a running answer: where the thinking above says already what goes on, whose it is. */
export function underway(answer: Answer, trans: Trans): string {
  const doing = progress(answer, trans);
  return answer.reasoning && doing === thoughtSummary(answer, trans) ? answer.model : doing;
}

function waiting({ model }: Answer, trans: Trans): string {
  return model ? trans.__('Waiting for %1…', model) : trans.__('Sending…');
}

/** How an answer ended, where that needs saying. */
export function ending(answer: Answer, trans: Trans): string {
  switch (answer.state) {
    case 'cancelled':
      return trans.__('Stopped');
    case 'interrupted':
      return answer.text
        ? trans.__('Interrupted: the server was restarted. What had arrived is kept.')
        : trans.__('Interrupted: the server was restarted.');
    case 'length':
      return trans.__('Cut off at the longest answer this model gives.');
    case 'limit':
      return trans.__('Stopped at the limit of one turn.');
    default:
      return '';
  }
}
