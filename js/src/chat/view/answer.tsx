/** One answer: what was given, the thinking, the text, where it comes from, and how it ended. */

import type { ComponentChildren, VNode } from 'preact';
import { Component } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Answer, Remedy } from '../conversation';
import { questionOf, shown } from '../conversation';
import { Markdown } from './markdown';
import type { Given, Source } from '../protocol';
import { remedy } from '../remedies';
import { usePanel } from './context';
import { ErrorCard, RemedyButton } from './failure';
import { CopyIcon, DoneIcon, EditIcon, RetryIcon } from './icons';
import { charactersSummary, ending, givenSummary, thinking, thoughtSummary, underway, usageSummary } from './summary';

/** Milliseconds for which a copy is confirmed. */
const COPIED_MS = 2_000;

/** Milliseconds without a word after which the dot beats. */
const STILL_MS = 1_000;

/** Milliseconds after its end for which the thinking still stands open. */
const THOUGHT_MS = 1_000;

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
        {answer.reasoning ? <Reasoning answer={answer} /> : null}
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
              {charactersSummary(item.chars, trans)}
              {item.truncated ? `, ${trans.__('cut')}` : ''}
            </small>
          </li>
        ))}
      </ul>
    </details>
  );
}

/** Open while the model thinks; it closes once by itself, unless the reader has turned it, and never opens again so. */
function Reasoning({ answer }: { answer: Answer }): VNode {
  const { trans } = usePanel().host;
  const busy = thinking(answer);
  const [open, setOpen] = useState(busy);
  const own = useRef(busy);
  useEffect(() => {
    if (busy || !own.current) {
      return undefined;
    }
    const timer = setTimeout(() => {
      if (own.current) {
        own.current = false;
        setOpen(false);
      }
    }, THOUGHT_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [busy]);
  return (
    <details class="jp-Assistant-fold" open={open}>
      <summary
        onClick={event => {
          event.preventDefault();
          own.current = false;
          setOpen(!open);
        }}
      >
        {thoughtSummary(answer, trans)}
      </summary>
      <Thoughts text={answer.reasoning} growing={busy} />
    </details>
  );
}

/** Its own scroll box; the newest thought is in sight while they come, unless the reader has scrolled up. */
function Thoughts({ text, growing }: { text: string; growing: boolean }): VNode {
  const box = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  useLayoutEffect(() => {
    if (box.current && growing && following.current) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [text]);
  return (
    <div
      ref={box}
      class="jp-Assistant-reasoning"
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        following.current = scrollHeight - scrollTop - clientHeight <= 5;
      }}
    >
      {text}
    </div>
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
    return <ErrorCard answer={answer} failure={answer.failure} last={last} />;
  }
  const how = ending(answer, trans);
  const usage = answer.usage ? usageSummary(answer.usage, trans) : '';
  const line =
    answer.state === 'running' ? underway(answer, trans) : [how, answer.model, usage].filter(Boolean).join(' · ');
  return (
    <div class="jp-Assistant-end">
      {answer.state === 'running' ? <Pulse heard={answer.text.length + answer.reasoning.length} /> : null}
      <span class="jp-Assistant-line">{line}</span>
      {last ? <RemedyButton answer={answer} /> : null}
      {answer.state === 'running' ? null : <Actions answer={answer} last={last} />}
    </div>
  );
}

/** A dot that beats while nothing comes: text that grows is sign enough, and each beat would cost the page a frame. */
function Pulse({ heard }: { heard: number }): VNode {
  const [beats, beat] = useState(true);
  // At once, not as an effect: Preact asks for a frame of its own for every effect, and this is one for every painting.
  useLayoutEffect(() => {
    beat(heard === 0);
    const timer = setTimeout(() => {
      beat(true);
    }, STILL_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [heard]);
  return <span class={`jp-Assistant-pulse${beats ? ' jp-mod-beats' : ''}`} aria-hidden="true" />;
}

/** What can be done with an answer that has ended; with its question only while it is the last one. */
function Actions({ answer, last }: { answer: Answer; last: boolean }): VNode {
  const { store, intents, host, focus } = usePanel();
  const { trans } = host;
  const again = (kind: Remedy): void => {
    intents.remedy(answer, kind);
    focus();
  };
  // An answer that did not end well offers its remedy, and nothing beside it.
  const asked = last && remedy(answer) === null && questionOf(shown(store.chat), answer.id) !== '';
  return (
    <span class="jp-Assistant-acts">
      {answer.text ? <CopyAnswer text={answer.text} /> : null}
      {asked ? (
        <Act
          icon={RetryIcon}
          label={trans.__('Ask the same again')}
          act={() => {
            again('retry');
          }}
        />
      ) : null}
      {asked ? (
        <Act
          icon={EditIcon}
          label={trans.__('Edit the question')}
          act={() => {
            again('edit');
          }}
        />
      ) : null}
    </span>
  );
}

function CopyAnswer({ text }: { text: string }): VNode {
  const { host } = usePanel();
  const [copied, setCopied] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(
    () => () => {
      clearTimeout(timer.current);
    },
    []
  );
  const copy = (): void => {
    void host.copy(text).then(() => {
      setCopied(true);
      clearTimeout(timer.current);
      timer.current = setTimeout(() => {
        setCopied(false);
      }, COPIED_MS);
    });
  };
  const label = copied ? host.trans.__('Copied') : host.trans.__('Copy the answer');
  return <Act icon={copied ? DoneIcon : CopyIcon} label={label} act={copy} />;
}

function Act({ icon: Icon, label, act }: { icon: () => VNode; label: string; act: () => void }): VNode {
  return (
    <button type="button" class="jp-Assistant-plain" aria-label={label} title={label} onClick={act}>
      <Icon />
    </button>
  );
}
