/**
 * What a user can want of the panel, turned into requests and actions.
 *
 * The law: a question is sent once, under one `request_id`; leaving a conversation stops nothing, only `stop` does.
 */

import type { Answer, Conversation, Remedy } from '../conversation';
import { questionOf, running, shown } from '../conversation';
import type { Start } from '../follow';
import type { Host, Part } from '../host';
import type { Preview, Question } from '../protocol';
import { Shelf } from '../shelf';
import type { Store } from '../store';
import { narrowed } from '../subject';
import type { Transport } from '../transport';
import type { Around } from './reading';
import { Reading } from './reading';
import { Waiting } from './waiting';

/** Where it is mended what an answer failed for. */
const DIALOGS = {
  connect: 'connect',
  key: 'connect',
  address: 'connect',
  model: 'picker',
  budget: 'settings'
} as const;

export interface Surroundings extends Around {
  /** A new unique id. */
  readonly id: () => string;
}

export class Intents {
  /** The list of conversations. */
  readonly shelf: Shelf;
  readonly #store: Store;
  readonly #transport: Transport;
  readonly #host: Host;
  readonly #id: () => string;
  readonly #signal: AbortSignal;
  readonly #reading: Reading;
  readonly #waiting: Waiting;
  /** Questions no run has been heard of yet, by answer: a retry sends the very same one. */
  readonly #open = new Map<string, Question>();
  #returning = false;

  /** Everything ends with `signal`. */
  constructor({ store, transport, host, pause, id }: Surroundings, signal: AbortSignal) {
    this.#store = store;
    this.#transport = transport;
    this.#host = host;
    this.#id = id;
    this.#signal = signal;
    this.shelf = new Shelf({ store, transport, host }, signal);
    this.#waiting = new Waiting(store, signal);
    this.#reading = new Reading(
      { store, transport, host, pause },
      {
        settled: answer => {
          this.#settle(answer);
        },
        ended: (key, answer) => {
          void this.#waiting.patient(key, answer, conversation => this.#askAgain(conversation, answer));
          void this.shelf.list();
        },
        gone: () => {
          this.#show(this.#id(), '', '');
        }
      },
      signal
    );
  }

  /** Goes on where the reload broke off: with the question just sent, or the conversation shown. */
  async start(): Promise<void> {
    this.#store.dispatch({ do: 'left', left: this.#host.recallLeft() });
    const [id, question] = [this.#host.recall(), this.#host.recallQuestion()];
    if (question) {
      this.#send(shown(this.#store.chat), question);
    }
    if (id && !question) {
      await this.open(id);
    }
  }

  /** Asks in the shown conversation; false when an answer is running there or it is not loaded. */
  ask(text: string): boolean {
    return this.#ask(shown(this.#store.chat), text) !== '';
  }

  /** The new answer's id; empty when one is running there or the conversation is not loaded. */
  #ask(conversation: Conversation, text: string, bare = false): string {
    if (running(conversation) || conversation.loading) {
      return '';
    }
    const { notebook, ...question } = this.#question(conversation, text);
    return this.#send(conversation, { ...question, ...(notebook && !bare ? { notebook } : {}) });
  }

  /** The exact request that asking this in the shown conversation would make; nothing is asked. */
  preview(text: string): Promise<Preview> {
    return this.#transport.preview(this.#question(shown(this.#store.chat), text), this.#signal);
  }

  #question({ id }: Conversation, text: string): Question {
    const notebook = narrowed(this.#host.notebook(), this.#store.chat.left);
    return {
      question: text,
      request_id: this.#id(),
      ...(id ? { conversation_id: id } : {}),
      ...(notebook ? { notebook } : {})
    };
  }

  /** Leaves a part of what is in sight out of the next questions, or lets it go with them again. */
  leaveOut(part: Part, out: boolean): void {
    const others = this.#store.chat.left.filter(each => each !== part);
    this.#leave(out ? [...others, part] : others);
  }

  /** The next question is about a cell: it goes with it. */
  takeCell(): void {
    const { left } = this.#store.chat;
    this.#leave(left.filter(part => part === 'selection'));
  }

  #leave(left: readonly Part[]): void {
    this.#store.dispatch({ do: 'left', left });
    this.#host.rememberLeft(left);
  }

  /** Stops the running answer of the shown conversation, as soon as its run is known. */
  stop(): void {
    const conversation = shown(this.#store.chat);
    const answer = running(conversation);
    this.#waiting.cancel(conversation.key);
    if (answer && !answer.stopping) {
      this.#reading.stop(conversation, answer);
    }
  }

  /** Does the one thing an ended answer offers. */
  remedy(answer: Answer, remedy: Remedy): void {
    const conversation = shown(this.#store.chat);
    const { key } = conversation;
    const text = questionOf(conversation, answer.id);
    switch (remedy) {
      case 'edit':
        this.#store.dispatch({ do: 'draft', text });
        break;
      case 'reconnect':
        this.#restart(key, answer.id, { run_id: answer.run_id, after: answer.last });
        break;
      case 'continue':
        this.ask(this.#host.trans.__('Please continue where the answer broke off.'));
        break;
      case 'cancel':
        this.#waiting.cancel(key);
        break;
      case 'fresh':
        this.fresh();
        this.ask(text);
        break;
      case 'bare':
        this.#ask(conversation, text, true);
        break;
      case 'retry':
        this.#retry(conversation, answer, text);
        break;
      default:
        this.#store.dispatch({ do: 'dialog', dialog: DIALOGS[remedy], mending: { key, answer: answer.id, remedy } });
    }
  }

  /** What kept an answer from being given is mended: its question is asked again, if it is still the last one. */
  mended(): void {
    const { mending, conversations } = this.#store.chat;
    const conversation = conversations[mending?.key ?? ''];
    if (mending && conversation) {
      this.#askAgain(conversation, mending.answer);
    }
  }

  /** The new answer's id; empty where the conversation has gone on without it. */
  #askAgain(conversation: Conversation, answer: string): string {
    const text = questionOf(conversation, answer);
    return text && conversation.entries.at(-1)?.id === answer ? this.#ask(conversation, text) : '';
  }

  /** Shows a new, empty conversation; one that is empty already is kept. */
  fresh(): void {
    if (shown(this.#store.chat).entries.length || shown(this.#store.chat).id) {
      this.#show(this.#id(), '', '');
    }
  }

  /** Shows a stored conversation and joins its running answer, if it has one. */
  async open(id: string): Promise<void> {
    const { conversations, summaries } = this.#store.chat;
    const known = Object.values(conversations).find(conversation => conversation.id === id);
    const key = known?.key ?? id;
    this.#show(key, id, summaries.find(summary => summary.id === id)?.title ?? '');
    if (!this.#reading.reads(key)) {
      await this.#reading.load(key, id);
    }
  }

  /** Shows a conversation this panel has, by key. */
  show(key: string): void {
    const conversation = this.#store.chat.conversations[key];
    if (conversation) {
      this.#show(key, conversation.id, conversation.title);
    }
  }

  /** Deletes a conversation for good; its running answer ends with it. */
  async remove(id: string): Promise<void> {
    const deleted = await this.shelf.wanted(signal => this.#transport.remove(id, signal));
    if (!deleted) {
      return;
    }
    const key = Object.values(this.#store.chat.conversations).find(each => each.id === id)?.key ?? '';
    this.#reading.leave(key);
    this.#host.rememberDraft(id, '');
    if (shown(this.#store.chat).id === id) {
      this.#show(this.#id(), '', '');
    }
    this.#store.dispatch({ do: 'removed', id });
    await this.shelf.list();
  }

  /** The user is back: what another tab has done to the shown conversation is shown here too. */
  async returned(): Promise<void> {
    if (this.#returning) {
      return;
    }
    this.#returning = true;
    try {
      await this.shelf.list();
      await this.#reading.catchUp(shown(this.#store.chat));
    } finally {
      this.#returning = false;
    }
  }

  #send({ key, id }: Conversation, question: Question): string {
    const answer = this.#id();
    this.#waiting.cancel(key);
    this.#store.dispatch({ do: 'ask', key, id: this.#id(), text: question.question, answer });
    this.#open.set(answer, question);
    this.#host.rememberQuestion(id ? null : question);
    void this.#reading.listen(key, answer, { question });
    return answer;
  }

  /** Its run is known now, or there will be none: it is never sent again. */
  #settle(answer: string): void {
    const question = this.#open.get(answer);
    this.#open.delete(answer);
    if (question && question.request_id === this.#host.recallQuestion()?.request_id) {
      this.#host.rememberQuestion(null);
    }
  }

  #show(key: string, id: string, title: string): void {
    this.#store.dispatch({ do: 'show', key, id, title });
    this.#host.remember(id);
    this.#host.rememberQuestion(null);
  }

  #retry(conversation: Conversation, answer: Answer, text: string): void {
    const question = this.#open.get(answer.id);
    if (answer.failure?.code === 'not_found') {
      this.fresh();
      this.ask(text);
    } else if (question) {
      this.#restart(conversation.key, answer.id, { question });
    } else if (text) {
      this.ask(text);
    }
  }

  #restart(key: string, answer: string, start: Start): void {
    this.#store.dispatch({ do: 'restart', key, answer });
    void this.#reading.listen(key, answer, start);
  }
}
