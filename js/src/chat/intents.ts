/**
 * What a user can want of the panel, turned into requests, and what is heard back turned into actions.
 *
 * The law: one reader per conversation, and a reader that was replaced touches nothing any more: neither the answer
 * of its successor nor its place. Leaving a conversation stops nothing; only `stop` does.
 */

import type { Answer, Conversation, Remedy } from './conversation';
import { newer, questionOf, running, shown } from './conversation';
import type { Heard, Pause, Start } from './follow';
import { follow } from './follow';
import { expected, failureOf } from './faults';
import type { Host, Part } from './host';
import { passed, patience } from './patience';
import type { Preview, Question } from './protocol';
import { Shelf } from './shelf';
import type { Store } from './store';
import { narrowed } from './subject';
import type { Transport } from './transport';
import { Refused } from './transport';

/** Where it is mended what an answer failed for. */
const DIALOGS = {
  connect: 'connect',
  key: 'connect',
  address: 'connect',
  model: 'picker',
  budget: 'settings'
} as const;

interface Reader {
  readonly answer: string;
  readonly controller: AbortController;
}

export interface Surroundings {
  readonly store: Store;
  readonly transport: Transport;
  readonly host: Host;
  readonly pause: Pause;
  /** A new unique id. */
  readonly id: () => string;
}

export class Intents {
  /** The list of conversations. */
  readonly shelf: Shelf;
  readonly #store: Store;
  readonly #transport: Transport;
  readonly #host: Host;
  readonly #pause: Pause;
  readonly #id: () => string;
  readonly #signal: AbortSignal;
  readonly #readers = new Map<string, Reader>();
  /** Questions no run has been heard of yet, by answer: a retry sends the very same one. */
  readonly #open = new Map<string, Question>();
  /** How new each conversation was when it was last looked at, in the server's time. */
  readonly #known = new Map<string, number>();
  /** What will be asked again by itself, by conversation. */
  readonly #waits = new Map<string, AbortController>();
  /** Answers whose question was asked again by itself: that is done once. */
  readonly #again = new Set<string>();
  #returning = false;

  /** Everything ends with `signal`. */
  constructor({ store, transport, host, pause, id }: Surroundings, signal: AbortSignal) {
    this.#store = store;
    this.#transport = transport;
    this.#host = host;
    this.#pause = pause;
    this.#id = id;
    this.#signal = signal;
    this.shelf = new Shelf({ store, transport, host }, signal);
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
    const { key, id } = shown(this.#store.chat);
    const answer = running(shown(this.#store.chat));
    this.#waits.get(key)?.abort();
    if (!answer || answer.stopping) {
      return;
    }
    this.#store.dispatch({ do: 'stopping', key, answer: answer.id, stopping: true });
    if (answer.run_id) {
      void this.#halt(key, answer);
    } else if (answer.wire === 'whole') {
      void this.#giveUp(key, id, answer);
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
        this.#waits.get(key)?.abort();
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
    if (!this.#readers.has(key)) {
      await this.#load(key, id);
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
    this.#readers.get(key)?.controller.abort();
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
      await this.#catchUp(shown(this.#store.chat));
    } finally {
      this.#returning = false;
    }
  }

  async #catchUp({ key, id, loading }: Conversation): Promise<void> {
    const summary = this.#store.chat.summaries.find(each => each.id === id);
    const same = summary && !summary.run_id && summary.updated === this.#known.get(id);
    if (!id || loading || same || this.#readers.has(key)) {
      return;
    }
    try {
      const stored = await this.#transport.conversation(id, this.#signal);
      const here = this.#store.chat.conversations[key];
      if (here && !this.#readers.has(key) && newer(here, stored)) {
        this.#store.dispatch({ do: 'loaded', key, conversation: stored });
        this.#join(key);
      } else if (here && here.title !== stored.title) {
        this.#store.dispatch({ do: 'renamed', id, title: stored.title });
      }
      this.#known.set(id, stored.updated);
    } catch (error) {
      expected(error, this.#signal);
    }
  }

  #send({ key, id }: Conversation, question: Question): string {
    const answer = this.#id();
    this.#waits.get(key)?.abort();
    this.#store.dispatch({ do: 'ask', key, id: this.#id(), text: question.question, answer });
    this.#open.set(answer, question);
    this.#host.rememberQuestion(id ? null : question);
    void this.#listen(key, answer, { question });
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

  /** Loads a conversation. `past` is a run the server just said it does not know: it is not joined again. */
  async #load(key: string, id: string, past = ''): Promise<void> {
    this.#store.dispatch({ do: 'load', key });
    try {
      const conversation = await this.#transport.conversation(id, this.#signal);
      if (this.#readers.has(key)) {
        return;
      }
      const run_id = conversation.run_id === past ? '' : conversation.run_id;
      this.#store.dispatch({ do: 'loaded', key, conversation: { ...conversation, run_id } });
      this.#known.set(id, conversation.updated);
      this.#join(key);
    } catch (error) {
      this.#unloadable(key, error);
    }
  }

  #join(key: string): void {
    const conversation = this.#store.chat.conversations[key];
    const answer = conversation && running(conversation);
    if (answer?.run_id) {
      void this.#listen(key, answer.id, { run_id: answer.run_id, after: 0 });
    }
  }

  #unloadable(key: string, error: unknown): void {
    expected(error, this.#signal);
    if (error instanceof Refused && error.status === 404) {
      const id = this.#store.chat.conversations[key]?.id;
      if (this.#store.chat.shown === key) {
        this.#show(this.#id(), '', '');
      }
      if (id) {
        this.#store.dispatch({ do: 'removed', id });
      }
    } else if (!this.#signal.aborted) {
      this.#store.dispatch({ do: 'unloadable', key, failure: failureOf(error, this.#host) });
    }
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
    void this.#listen(key, answer, start);
  }

  async #listen(key: string, answer: string, start: Start): Promise<void> {
    this.#readers.get(key)?.controller.abort();
    const reader = { answer, controller: new AbortController() };
    const signal = AbortSignal.any([reader.controller.signal, this.#signal]);
    this.#readers.set(key, reader);
    try {
      for await (const heard of follow(this.#transport, start, this.#pause, signal)) {
        if (signal.aborted) {
          return;
        }
        this.#hear(key, answer, heard);
      }
      if (!signal.aborted) {
        void this.#patient(key, answer);
        void this.shelf.list();
      }
    } catch (error) {
      if (!signal.aborted) {
        this.#release(key, reader);
        await this.#fail(key, answer, error);
      }
    } finally {
      this.#release(key, reader);
    }
  }

  /** Where a gateway wants to be asked less often, the question is asked again when it says, once. */
  async #patient(key: string, id: string): Promise<void> {
    const answer = this.#store.chat.conversations[key]?.entries.find(each => each.id === id);
    const seconds = answer?.role === 'assistant' ? patience(answer) : null;
    if (seconds === null || this.#again.has(id)) {
      return;
    }
    const wait = new AbortController();
    this.#waits.set(key, wait);
    this.#store.dispatch({ do: 'wait', key, answer: id, until: Date.now() + seconds * 1_000 });
    const over = await passed(seconds, AbortSignal.any([wait.signal, this.#signal]));
    if (this.#waits.get(key) === wait) {
      this.#waits.delete(key);
    }
    this.#store.dispatch({ do: 'wait', key, answer: id, until: null });
    const conversation = this.#store.chat.conversations[key];
    if (over && conversation) {
      this.#again.add(this.#askAgain(conversation, id));
    }
  }

  /** Gives up a reader's place, unless it is somebody else's by now. */
  #release(key: string, reader: Reader): void {
    if (this.#readers.get(key) === reader) {
      this.#readers.delete(key);
    }
  }

  #hear(key: string, id: string, heard: Heard): void {
    this.#store.dispatch({ do: 'hear', key, answer: id, heard, at: performance.now() });
    const answer = this.#running(key, id);
    if (heard.kind === 'event' && heard.event?.name === 'run') {
      this.#settle(id);
      if (this.#store.chat.shown === key) {
        this.#host.remember(heard.event.conversation_id);
      }
    }
    if (answer?.stopping && answer.run_id && (heard.kind === 'wire' || isRun(heard))) {
      void this.#halt(key, answer);
    }
  }

  #running(key: string, id: string): Answer | null {
    const conversation = this.#store.chat.conversations[key];
    const answer = conversation ? running(conversation) : null;
    return answer?.id === id ? answer : null;
  }

  async #halt(key: string, answer: Answer): Promise<void> {
    try {
      await this.#transport.stop(answer.run_id, this.#signal);
    } catch (error) {
      expected(error, this.#signal);
      if (this.#running(key, answer.id)?.wire === 'open') {
        this.#store.dispatch({ do: 'stopping', key, answer: answer.id, stopping: false });
      }
    }
  }

  /** Stops an answer that comes in one piece: its run is only known to the conversation. */
  async #giveUp(key: string, id: string, answer: Answer): Promise<void> {
    this.#readers.get(key)?.controller.abort();
    this.#settle(answer.id);
    this.#store.dispatch({ do: 'end', key, answer: answer.id, reason: 'cancelled' });
    try {
      const run_id = id ? (await this.#transport.conversation(id, this.#signal)).run_id : '';
      if (run_id) {
        await this.#transport.stop(run_id, this.#signal);
      }
    } catch (error) {
      expected(error, this.#signal);
    }
  }

  async #fail(key: string, answer: string, error: unknown): Promise<void> {
    const conversation = this.#store.chat.conversations[key];
    const state = this.#running(key, answer);
    if (error instanceof Refused && error.failure.code === 'conversation_busy' && conversation?.id) {
      this.#settle(answer);
      this.#store.dispatch({ do: 'withdraw', key, answer });
      this.#store.dispatch({ do: 'complain', failure: error.failure });
      await this.#load(key, conversation.id);
    } else if (error instanceof Refused && error.status === 404 && state?.run_id && conversation?.id) {
      await this.#load(key, conversation.id, state.run_id);
    } else if (state?.stopping && !state.run_id) {
      this.#settle(answer);
      this.#store.dispatch({ do: 'end', key, answer, reason: 'cancelled' });
    } else {
      this.#store.dispatch({ do: 'fail', key, answer, failure: failureOf(error, this.#host) });
    }
  }
}

function isRun(heard: Heard): boolean {
  return heard.kind === 'event' && heard.event?.name === 'run';
}
