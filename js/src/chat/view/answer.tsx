/** One answer: what was given, the thinking, the text, where it comes from, and how it ended. */

import type { ComponentChildren, VNode } from 'preact';
import { Component } from 'preact';
import type { Answer, Remedy } from '../conversation';
import { remedy } from '../conversation';
import type { Trans } from '../host';
import { Markdown } from './markdown';
import type { Given, Source } from '../protocol';
import { usePanel } from './context';
import { ending, givenSummary, progress, usageSummary } from './summary';

interface Props {
  readonly answer: Answer;
  readonly label: string;
  /** Only the last answer of a conversation can be acted upon. */
  readonly last: boolean;
}

/** Rendered again only when the answer is another: a token touches one answer, not the transcript. */
export class AnswerView extends Component<Props> {
  override shouldComponentUpdate(next: Props): boolean {
    return next.answer !== this.props.answer || next.last !== this.props.last || next.label !== this.props.label;
  }

  override render({ answer, label, last }: Props): ComponentChildren {
    const busy = answer.state === 'running';
    return (
      <article class="jp-Assistant-answer" aria-label={label} aria-busy={busy} tabIndex={-1}>
        {answer.given?.items.length ? <GivenView given={answer.given} /> : null}
        {answer.reasoning ? <Reasoning text={answer.reasoning} open={busy && !answer.text} /> : null}
        <Markdown text={answer.text} whole={!busy} />
        {answer.sources.length && !busy ? <Sources sources={answer.sources} /> : null}
        <End answer={answer} last={last} />
      </article>
    );
  }
}

function GivenView({ given }: { given: Given }): VNode {
  const { host } = usePanel();
  const { trans } = host;
  return (
    <details class="jp-Assistant-fold">
      <summary>{trans.__('Given: %1', givenSummary(given, trans))}</summary>
      <ul class="jp-Assistant-given">
        {given.items.map((item, index) => (
          <li key={index}>
            {item.cell_id ? (
              <button
                type="button"
                class="jp-Assistant-textLink"
                onClick={() => {
                  host.openCell(item.path, item.cell_id);
                }}
              >
                {item.label}
              </button>
            ) : (
              <span>{item.label}</span>
            )}
            <small>
              {trans._n('%1 character', '%1 characters', item.chars)}
              {item.truncated ? `, ${trans.__('cut')}` : ''}
            </small>
          </li>
        ))}
      </ul>
    </details>
  );
}

function Reasoning({ text, open }: { text: string; open: boolean }): VNode {
  const { trans } = usePanel().host;
  return (
    <details class="jp-Assistant-fold">
      <summary>{open ? trans.__('Thinking…') : trans.__('Thoughts')}</summary>
      <div class="jp-Assistant-reasoning">{text}</div>
    </details>
  );
}

function Sources({ sources }: { sources: readonly Source[] }): VNode {
  const { host } = usePanel();
  return (
    <ol class="jp-Assistant-sources" aria-label={host.trans.__('Sources')}>
      {sources.map((source, index) => (
        <li key={index}>
          <button
            type="button"
            class="jp-Assistant-chip"
            title={source.snippet || source.path}
            onClick={() => {
              host.openCell(source.path, source.cell_id);
            }}
          >
            <span class="jp-Assistant-number">{index + 1}</span>
            <span class="jp-Assistant-cut">{source.title || source.path}</span>
          </button>
        </li>
      ))}
    </ol>
  );
}

/** The last line: what is going on, then how it ended. It keeps its height, so that nothing jumps. */
function End({ answer, last }: { answer: Answer; last: boolean }): VNode {
  const { trans } = usePanel().host;
  if (answer.failure) {
    return <ErrorCard answer={answer} last={last} />;
  }
  const how = ending(answer, trans);
  const usage = answer.usage ? usageSummary(answer.usage, trans) : '';
  const line =
    answer.state === 'running' ? progress(answer, trans) : [how, answer.model, usage].filter(Boolean).join(' · ');
  return (
    <div class="jp-Assistant-end">
      {answer.state === 'running' ? <span class="jp-Assistant-pulse" aria-hidden="true" /> : null}
      <span class="jp-Assistant-line">{line}</span>
      {last ? <RemedyButton answer={answer} /> : null}
    </div>
  );
}

function ErrorCard({ answer, last }: { answer: Answer; last: boolean }): VNode {
  return (
    <div class="jp-Assistant-error">
      <p>{answer.failure?.text}</p>
      {answer.failure?.hint ? <p class="jp-Assistant-hint">{answer.failure.hint}</p> : null}
      {last ? <RemedyButton answer={answer} /> : null}
    </div>
  );
}

function remedyLabel(kind: Remedy, trans: Trans): string {
  switch (kind) {
    case 'continue':
      return trans.__('Continue');
    case 'edit':
      return trans.__('Edit the question');
    case 'reconnect':
      return trans.__('Reconnect');
    default:
      return trans.__('Try again');
  }
}

function RemedyButton({ answer }: { answer: Answer }): VNode | null {
  const { intents, host, focus } = usePanel();
  const kind = answer.state === 'running' ? null : remedy(answer);
  if (!kind) {
    return null;
  }
  return (
    <button
      type="button"
      class="jp-Assistant-button"
      onClick={() => {
        intents.remedy(answer, kind);
        focus();
      }}
    >
      {remedyLabel(kind, host.trans)}
    </button>
  );
}
