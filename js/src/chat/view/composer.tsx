/**
 * Where a question is written: Enter sends, Shift+Enter makes a line, and Send becomes Stop in the same place.
 *
 * The law: what was typed is never lost or cut; it leaves only when it was sent.
 */

import type { VNode } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { lastQuestion, running, shown } from '../conversation';
import { led } from '../lead';
import { QUESTION_CHARS } from '../protocol';
import { useChat, usePanel } from './context';
import { EyeIcon, SendIcon, StopIcon } from './icons';
import { ModelPicker } from './models';
import { PreviewSheet } from './sheet';
import { SubjectChips } from './subject';

/** Characters as the server counts them: code points. */
function characters(text: string): number {
  return text.length <= QUESTION_CHARS ? text.length : Array.from(text).length;
}

/** Enter that belongs to an input method: it chooses a word and must not send. */
function composing(event: KeyboardEvent): boolean {
  // Safari ends the composition before this key; only its key code still tells.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  return event.isComposing || event.keyCode === 229;
}

export function Composer(): VNode {
  const { store, intents, connections, host } = usePanel();
  const { trans } = host;
  const box = useRef<HTMLTextAreaElement>(null);
  const { text, write, type } = useText();
  const busy = useChat(chat => running(shown(chat)) !== null);
  const stopping = useChat(chat => running(shown(chat))?.stopping ?? false);
  const previewing = useChat(chat => chat.dialog === 'preview');
  const over = characters(text) - QUESTION_CHARS;

  useDraft(type);
  useGrowing(box, text);

  const send = (): void => {
    if (text.trim() && over <= 0 && intents.ask(text.trim())) {
      write('');
    }
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Enter' && !event.shiftKey && !composing(event)) {
      event.preventDefault();
      send();
    } else if (event.key === 'ArrowUp' && !event.altKey && text === '' && !composing(event)) {
      const last = lastQuestion(shown(store.chat));
      if (last) {
        event.preventDefault();
        write(last);
      }
    }
  };
  return (
    <div class="jp-Assistant-composer">
      <div class="jp-Assistant-composerHead">
        <SubjectChips />
        <button
          type="button"
          class="jp-Assistant-plain jp-Assistant-eye"
          aria-label={trans.__('What leaves this machine')}
          title={trans.__('What leaves this machine')}
          onClick={() => {
            connections.show('preview');
          }}
        >
          <EyeIcon />
        </button>
      </div>
      <textarea
        ref={box}
        rows={1}
        dir="auto"
        value={text}
        placeholder={trans.__('Ask a question')}
        aria-label={trans.__('Question')}
        aria-invalid={over > 0}
        onInput={event => {
          write(event.currentTarget.value);
        }}
        onKeyDown={onKeyDown}
      />
      <div class="jp-Assistant-composerEnd">
        <ModelPicker />
        <span class="jp-Assistant-line" role={over > 0 ? 'alert' : undefined}>
          {over > 0 ? trans._n('%2 character too many', '%2 characters too many', over, over.toLocaleString()) : ''}
        </span>
        <SendButton
          busy={busy}
          stopping={stopping}
          ready={text.trim() !== '' && over <= 0}
          onSend={send}
          onStop={() => {
            intents.stop();
          }}
        />
      </div>
      {previewing ? (
        <PreviewSheet
          text={text.trim()}
          close={() => {
            connections.show('none');
          }}
        />
      ) : null}
    </div>
  );
}

interface SendProps {
  readonly busy: boolean;
  readonly stopping: boolean;
  readonly ready: boolean;
  readonly onSend: () => void;
  readonly onStop: () => void;
}

/** One button for both; the second click of a double click and a held key never stop what the first has sent. */
function SendButton({ busy, stopping, ready, onSend, onStop }: SendProps): VNode {
  const { trans } = usePanel().host;
  const label = busy ? trans.__('Stop') : trans.__('Send');
  return (
    <button
      type="button"
      class={`jp-Assistant-send${busy ? ' jp-mod-stop' : ''}`}
      aria-label={label}
      title={busy ? trans.__('Stop (Escape)') : trans.__('Send (Enter; Shift+Enter makes a new line)')}
      aria-disabled={busy ? stopping : !ready}
      onMouseDown={event => {
        event.preventDefault();
      }}
      onKeyDown={event => {
        if (event.repeat) {
          event.preventDefault();
        }
      }}
      onClick={event => {
        if (event.detail > 1) {
          return;
        }
        if (busy) {
          onStop();
        } else {
          onSend();
        }
      }}
    >
      {busy ? <StopIcon /> : <SendIcon />}
    </button>
  );
}

interface Text {
  readonly text: string;
  readonly write: (text: string) => void;
  /** Writes what comes out of what is there. */
  readonly type: (change: (text: string) => string) => void;
}

/** What is typed: each conversation has its own, which waits there, over a reload too, until it is sent. */
function useText(): Text {
  const { store, host } = usePanel();
  const key = useChat(chat => chat.shown);
  const id = useChat(chat => shown(chat).id);
  const [text, setText] = useState(() => host.recallDraft(shown(store.chat).id));
  const [now, place] = [useRef(text), useRef({ key, id })];
  const write = (next: string): void => {
    now.current = next;
    setText(next);
    host.rememberDraft(place.current.id, next);
  };
  useLayoutEffect(() => {
    const before = place.current;
    place.current = { key, id };
    if (before.key !== key) {
      now.current = host.recallDraft(id);
      setText(now.current);
    } else if (before.id !== id) {
      host.rememberDraft(before.id, '');
      host.rememberDraft(id, now.current);
    }
  }, [key, id]);
  return {
    text,
    write,
    type: change => {
      write(change(now.current));
    }
  };
}

/** A question that comes back goes before what was typed since. */
function useDraft(setText: (change: (text: string) => string) => void): void {
  const draft = useChat(chat => chat.draft);
  useEffect(() => {
    if (draft) {
      setText(typed => (draft.lead ? led(draft.text, typed) : typed ? `${draft.text}\n\n${typed}` : draft.text));
    }
  }, [draft]);
}

/** As high as its text; the style sheet says where it begins to scroll. */
function useGrowing(box: { current: HTMLTextAreaElement | null }, text: string): void {
  useLayoutEffect(() => {
    if (box.current) {
      box.current.style.height = 'auto';
      box.current.style.height = `${box.current.scrollHeight}px`;
    }
  }, [text]);
}
