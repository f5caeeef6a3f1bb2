/**
 * Where a question is written: Enter sends, Shift+Enter makes a line, and Send becomes Stop in the same place.
 *
 * The law: what was typed is never lost or cut; it leaves only when it was sent.
 */

import type { VNode } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { running, shown } from '../conversation';
import { QUESTION_CHARS } from '../protocol';
import { useChat, usePanel } from './context';
import { SendIcon, StopIcon } from './icons';
import { SubjectLine } from './subject';

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
  const { intents, host } = usePanel();
  const { trans } = host;
  const box = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState('');
  const busy = useChat(chat => running(shown(chat)) !== null);
  const stopping = useChat(chat => running(shown(chat))?.stopping ?? false);
  const over = characters(text) - QUESTION_CHARS;

  useDraft(setText);
  useGrowing(box, text);

  const send = (): void => {
    if (text.trim() && over <= 0 && intents.ask(text.trim())) {
      setText('');
    }
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Enter' && !event.shiftKey && !composing(event)) {
      event.preventDefault();
      send();
    }
  };
  return (
    <div class="jp-Assistant-composer">
      <SubjectLine />
      <textarea
        ref={box}
        rows={1}
        value={text}
        placeholder={trans.__('Ask a question')}
        aria-label={trans.__('Question')}
        aria-invalid={over > 0}
        onInput={event => {
          setText(event.currentTarget.value);
        }}
        onKeyDown={onKeyDown}
      />
      <div class="jp-Assistant-composerEnd">
        <span class="jp-Assistant-line" role={over > 0 ? 'alert' : undefined}>
          {over > 0
            ? trans._n('%1 character too many', '%1 characters too many', over)
            : trans.__('Shift+Enter for a new line')}
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
      title={busy ? trans.__('Stop (Escape)') : trans.__('Send (Enter)')}
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

/** A question that comes back goes before what was typed since. */
function useDraft(setText: (change: (text: string) => string) => void): void {
  const draft = useChat(chat => chat.draft);
  useEffect(() => {
    if (draft) {
      setText(typed => (typed ? `${draft.text}\n\n${typed}` : draft.text));
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
