/**
 * What a screen reader is told: that an answer has begun, goes on and has ended, politely; what went wrong, at once.
 *
 * The law: never token by token. How much of the answer itself is said is the user's choice: that it is ready, all of
 * it in the end, or its sentences as they come.
 */

import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Answer, Conversation } from '../conversation';
import { shown } from '../conversation';
import type { Host } from '../host';
import { usePanel } from './context';
import type { Heard } from './speech';
import { aloud, hear, result, UNHEARD } from './speech';
import { progress } from './summary';

/** Milliseconds of silence after which it is said that the answer is still being made. */
const PATIENCE_MS = 7_000;

/** Milliseconds between two batches of sentences, so that one can be heard before the next interrupts it. */
const BATCH_MS = 1_500;

/** `count` makes the same words news again. */
interface Said {
  readonly polite: string;
  readonly alert: string;
  readonly count: number;
}

export function Announcer(): VNode {
  const { store, host } = usePanel();
  const [said, setSaid] = useState<Said>({ polite: '', alert: '', count: 0 });
  const [first] = useState(() => shown(store.chat));
  useEffect(() => {
    const speaker = new Speaker(host, first, (polite, alert) => {
      setSaid(before => ({ polite, alert, count: before.count + 1 }));
    });
    const look = (): void => {
      speaker.look(shown(store.chat));
    };
    look(); // what changed between the first rendering and now
    const end = store.subscribe(look);
    return () => {
      end();
      speaker.end();
    };
  }, [store]);
  return (
    <>
      <div class="jp-Assistant-hidden" role="status">
        {said.polite ? <span key={said.count}>{said.polite}</span> : null}
      </div>
      <div class="jp-Assistant-hidden" role="alert">
        {said.alert ? <span key={said.count}>{said.alert}</span> : null}
      </div>
    </>
  );
}

/** The answer that moved on here and now, rather than another one being shown; null when none did. */
function news(before: Conversation, after: Conversation): Answer | null {
  const [old, answer] = [before.entries.at(-1), after.entries.at(-1)];
  if (answer?.role !== 'assistant' || old === answer) {
    return null;
  }
  if (old?.role === 'assistant' && old.id === answer.id) {
    return answer;
  }
  return answer.state === 'running' || (before.key === after.key && answer.last > 0) ? answer : null;
}

/** Follows the shown conversation and says what there is to say. */
class Speaker {
  readonly #host: Host;
  readonly #say: (polite: string, alert: string) => void;
  #before: Conversation;
  /** How far the answer that is being made has been heard. */
  #heard: Heard = UNHEARD;
  #waiting = '';
  #batch: ReturnType<typeof setTimeout> | undefined;
  #patience: ReturnType<typeof setTimeout> | undefined;

  constructor(host: Host, conversation: Conversation, say: (polite: string, alert: string) => void) {
    this.#host = host;
    this.#say = say;
    this.#before = conversation;
  }

  end(): void {
    clearTimeout(this.#batch);
    clearTimeout(this.#patience);
    this.#batch = undefined;
    this.#waiting = '';
  }

  look(conversation: Conversation): void {
    const before = this.#before;
    this.#before = conversation;
    if (before.key !== conversation.key) {
      this.end();
    }
    if (conversation.failure && conversation.failure !== before.failure) {
      this.#alert(`${conversation.failure.text} ${conversation.failure.hint}`);
    }
    const answer = news(before, conversation);
    if (answer) {
      this.#tell(before.entries.at(-1), answer);
    }
  }

  #tell(old: Conversation['entries'][number] | undefined, answer: Answer): void {
    const same = old?.role === 'assistant' && old.id === answer.id ? old : null;
    if (answer.state !== 'running') {
      if (same?.state !== answer.state) {
        this.#ended(answer);
      }
    } else if (same?.state !== 'running') {
      this.#begun(answer);
    } else if (same.wire !== answer.wire) {
      this.#moved(answer);
    } else if (same.text !== answer.text && this.#host.announce() === 'sentences') {
      this.#listen(answer);
    }
  }

  #begun(answer: Answer): void {
    this.end();
    this.#heard = hear(UNHEARD, answer.text, false, this.#host.trans).heard;
    if (answer.wire === 'open') {
      this.#polite(this.#host.trans.__('Generating…'));
    } else {
      this.#moved(answer);
    }
  }

  #moved(answer: Answer): void {
    const { trans } = this.#host;
    if (answer.wire === 'lost') {
      this.#alert(trans.__('The connection is lost. Reconnecting…'));
    } else {
      this.#polite(answer.wire === 'open' ? trans.__('Connected again. Generating…') : progress(answer, trans));
    }
  }

  #ended(answer: Answer): void {
    const { trans } = this.#host;
    const left = this.#rest(answer);
    this.end();
    this.#heard = UNHEARD;
    if (answer.failure) {
      this.#say(left, `${answer.failure.text} ${answer.failure.hint}`.trim());
    } else {
      this.#say([left, result(answer, trans)].filter(Boolean).join('\n'), '');
    }
  }

  /** What of the text is still to be said in the end. */
  #rest(answer: Answer): string {
    const { trans } = this.#host;
    switch (this.#host.announce()) {
      case 'full':
        return aloud(answer.text, trans);
      case 'sentences':
        return [this.#waiting, hear(this.#heard, answer.text, true, trans).said].filter(Boolean).join('\n');
      default:
        return '';
    }
  }

  #listen(answer: Answer): void {
    const { said, heard } = hear(this.#heard, answer.text, false, this.#host.trans);
    this.#heard = heard;
    this.#waiting = [this.#waiting, said].filter(Boolean).join('\n');
    if (this.#waiting) {
      this.#batch ??= setTimeout(() => {
        this.#flush();
      }, BATCH_MS);
    }
  }

  #flush(): void {
    const said = this.#waiting;
    this.#batch = undefined;
    this.#waiting = '';
    this.#polite(said);
  }

  #alert(text: string): void {
    this.#say('', text.trim());
    this.#wait();
  }

  #polite(text: string): void {
    this.#say(text, '');
    this.#wait();
  }

  /** Says something when nothing was said for long. */
  #wait(): void {
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => {
      const answer = this.#before.entries.at(-1);
      if (answer?.role === 'assistant' && answer.state === 'running') {
        const { trans } = this.#host;
        this.#polite([trans.__('Still working…'), answer.status].filter(Boolean).join(' '));
      }
    }, PATIENCE_MS);
  }
}
