/**
 * What the panel knows, as values, and how each thing that happens changes it; pure.
 *
 * The law: everything that moves the state is here. An event names its conversation and its answer, so that a late one
 * can never land in another; what has ended stays as it ended.
 */

import type { Heard } from './follow';
import type { Part } from './host';
import { languageModel } from './models';
import type {
  Catalogue,
  Failure,
  Given,
  Listing,
  Reason,
  RunEvent,
  Setting,
  Source,
  StoredConversation,
  StoredMessage,
  Summary,
  Usage
} from './protocol';

export interface Asked {
  readonly role: 'user';
  readonly id: string;
  readonly text: string;
}

export interface Thought {
  readonly from: number;
  readonly to: number;
}

export interface Answer {
  readonly role: 'assistant';
  readonly id: string;
  readonly run_id: string;
  readonly model: string;
  readonly state: 'running' | Reason;
  readonly text: string;
  readonly reasoning: string;
  /** When thinking was first and last heard of, in ms; null where it was not witnessed here. */
  readonly thought: Thought | null;
  /** Whether it was asked for here, so that its events come when they happen. */
  readonly asked: boolean;
  readonly status: string;
  readonly given: Given | null;
  readonly sources: readonly Source[];
  readonly usage: Usage | null;
  readonly failure: Failure | null;
  readonly wire: 'open' | 'lost' | 'whole';
  readonly stopping: boolean;
  /** The number of the last event heard. */
  readonly last: number;
  /** When its question is asked again by itself (`Date.now()`); null when it is not. */
  readonly until: number | null;
}

export type Entry = Asked | Answer;

/** A conversation; `id` is empty until the server has given it one, `key` never changes. */
export interface Conversation {
  readonly key: string;
  readonly id: string;
  readonly title: string;
  readonly entries: readonly Entry[];
  readonly loading: boolean;
  /** Why it could not be loaded. */
  readonly failure: Failure | null;
}

export interface Chat {
  readonly shown: string;
  readonly conversations: Readonly<Record<string, Conversation>>;
  readonly summaries: readonly Summary[];
  /** How many more are archived, and which, once they were asked for. */
  readonly archive: { readonly count: number; readonly summaries: readonly Summary[] | null };
  /** Ids of conversations whose answer has ended while another one was shown. */
  readonly unseen: readonly string[];
  /** Why the last thing wanted of the list did not happen. */
  readonly complaint: Failure | null;
  /** The default model; empty when none is connected, null until known. */
  readonly model: string | null;
  /** The models known so far; null until known. */
  readonly catalogue: Catalogue | null;
  /** The server's settings; null until known. */
  readonly settings: readonly Setting[] | null;
  /** Names of those an administrator has locked. */
  readonly locked: readonly string[];
  /** What does not go with the next questions. */
  readonly left: readonly Part[];
  /** What is open above the conversation. */
  readonly dialog: Dialog;
  /** The answer for whose sake it is open; null when it is for nobody's. */
  readonly mending: Mending | null;
  /** A question that goes back into the composer, or the `lead` of one; a new object each time. */
  readonly draft: { readonly text: string; readonly lead?: boolean } | null;
}

export type Dialog = 'none' | 'picker' | 'connect' | 'preview' | 'settings';

export type Action =
  | { readonly do: 'show'; readonly key: string; readonly id: string; readonly title: string }
  | { readonly do: 'ask'; readonly key: string; readonly id: string; readonly text: string; readonly answer: string }
  | { readonly do: 'hear'; readonly key: string; readonly answer: string; readonly heard: Heard; readonly at: number }
  | { readonly do: 'stopping'; readonly key: string; readonly answer: string; readonly stopping: boolean }
  | { readonly do: 'fail'; readonly key: string; readonly answer: string; readonly failure: Failure }
  | { readonly do: 'end'; readonly key: string; readonly answer: string; readonly reason: Reason }
  | { readonly do: 'restart'; readonly key: string; readonly answer: string }
  | { readonly do: 'wait'; readonly key: string; readonly answer: string; readonly until: number | null }
  | { readonly do: 'withdraw'; readonly key: string; readonly answer: string }
  | { readonly do: 'load'; readonly key: string }
  | { readonly do: 'loaded'; readonly key: string; readonly conversation: StoredConversation }
  | { readonly do: 'unloadable'; readonly key: string; readonly failure: Failure }
  | { readonly do: 'listed'; readonly listing: Listing }
  | { readonly do: 'archive'; readonly summaries: readonly Summary[] | null }
  | { readonly do: 'complain'; readonly failure: Failure | null }
  | { readonly do: 'renamed'; readonly id: string; readonly title: string }
  | { readonly do: 'removed'; readonly id: string }
  | { readonly do: 'catalogue'; readonly catalogue: Catalogue }
  | { readonly do: 'settings'; readonly settings: readonly Setting[] }
  | { readonly do: 'left'; readonly left: readonly Part[] }
  | { readonly do: 'dialog'; readonly dialog: Dialog; readonly mending?: Mending }
  | { readonly do: 'draft'; readonly text: string; readonly lead?: boolean };

/** The one thing that an answer which did not end well offers. */
export type Remedy =
  | 'retry'
  | 'continue'
  | 'edit'
  | 'reconnect'
  /** Connect a model; replace a key; mend an address: then the question is asked again. */
  | 'connect'
  | 'key'
  | 'address'
  /** Choose another model, or a smaller budget: then the question is asked again. */
  | 'model'
  | 'budget'
  /** Ask the same in a new conversation, or without the notebook. */
  | 'fresh'
  | 'bare'
  /** It is asked again by itself, unless that is cancelled. */
  | 'cancel';

/** What is being mended: once it is, the question of this answer is asked again. */
export interface Mending {
  readonly key: string;
  readonly answer: string;
  readonly remedy: Remedy;
}

function fresh(key: string, id: string, title: string): Conversation {
  return { key, id, title, entries: [], loading: false, failure: null };
}

/** A panel that shows an empty, new conversation. */
export function begin(key: string): Chat {
  return {
    shown: key,
    conversations: { [key]: fresh(key, '', '') },
    summaries: [],
    archive: { count: 0, summaries: null },
    unseen: [],
    complaint: null,
    model: null,
    catalogue: null,
    settings: null,
    locked: [],
    left: [],
    dialog: 'none',
    mending: null,
    draft: null
  };
}

/** An answer of which nothing has been heard yet. */
export function awaited(id: string, run_id = ''): Answer {
  return {
    role: 'assistant',
    id,
    run_id,
    model: '',
    state: 'running',
    text: '',
    reasoning: '',
    thought: null,
    asked: false,
    status: '',
    given: null,
    sources: [],
    usage: null,
    failure: null,
    wire: 'open',
    stopping: false,
    last: 0,
    until: null
  };
}

/** The conversation on the screen. */
export function shown(chat: Chat): Conversation {
  return chat.conversations[chat.shown] ?? fresh(chat.shown, '', '');
}

/** The answer that is being made in a conversation, if one is. */
export function running(conversation: Conversation): Answer | null {
  const last = conversation.entries.at(-1);
  return last?.role === 'assistant' && last.state === 'running' ? last : null;
}

/** The question an answer belongs to; empty when it is not known. */
export function questionOf(conversation: Conversation, answer: string): string {
  const index = conversation.entries.findIndex(entry => entry.id === answer);
  const before = conversation.entries[index - 1];
  return before?.role === 'user' ? before.text : '';
}

/** What was asked last; empty when nothing was. */
export function lastQuestion({ entries }: Conversation): string {
  return entries.findLast(entry => entry.role === 'user')?.text ?? '';
}

/** The state after an action. An action about something that is not there changes nothing. */
export function reduce(chat: Chat, action: Action): Chat {
  switch (action.do) {
    case 'show':
      return show(chat, action.key, action.id, action.title);
    case 'listed':
      return listed(chat, action.listing);
    case 'archive':
      return { ...chat, archive: { ...chat.archive, summaries: action.summaries } };
    case 'complain':
      return { ...chat, complaint: action.failure };
    case 'renamed':
      return renamed(chat, action.id, action.title);
    case 'removed':
      return removed(chat, action.id);
    case 'catalogue':
      return { ...chat, catalogue: action.catalogue, model: languageModel(action.catalogue) };
    case 'settings':
      return { ...chat, settings: action.settings, locked: lockedNames(action.settings) };
    case 'left':
      return { ...chat, left: action.left };
    case 'dialog':
      return { ...chat, dialog: action.dialog, mending: action.mending ?? null };
    case 'draft':
      return { ...chat, draft: { text: action.text, lead: action.lead ?? false } };
    case 'withdraw':
      return withdraw(chat, action.key, action.answer);
    default:
      return noticed(
        chat,
        within(chat, action.key, conversation => inConversation(conversation, action)),
        action.key
      );
  }
}

type Inner = Extract<Action, { key: string }>;

function inConversation(conversation: Conversation, action: Inner): Conversation {
  switch (action.do) {
    case 'ask':
      return ask(conversation, action.id, action.text, action.answer);
    case 'hear':
      return hear(conversation, action.answer, action.heard, action.at);
    case 'stopping':
      return onRunning(conversation, action.answer, answer => ({ ...answer, stopping: action.stopping }));
    case 'fail':
      return onRunning(conversation, action.answer, answer => ended({ ...answer, failure: action.failure }, 'error'));
    case 'end':
      return onRunning(conversation, action.answer, answer => ended(answer, action.reason));
    case 'restart':
      return onAnswer(conversation, action.answer, answer => ({
        ...answer,
        state: 'running',
        failure: null,
        wire: 'open'
      }));
    case 'wait':
      return onAnswer(conversation, action.answer, answer => ({ ...answer, until: action.until }));
    case 'load':
      return { ...conversation, loading: true, failure: null };
    case 'unloadable':
      return { ...conversation, loading: false, failure: action.failure };
    case 'loaded':
      return loaded(conversation, action.conversation);
    default:
      return conversation;
  }
}

function lockedNames(settings: readonly Setting[]): string[] {
  return settings.filter(({ locked }) => locked).map(({ name }) => name);
}

/** The list as the server has it; what ran in the old one and is over now has ended unseen, unless it is shown. */
function listed(chat: Chat, { conversations, archived }: Listing): Chat {
  const over = chat.summaries
    .filter(before => before.run_id && conversations.some(({ id, run_id }) => id === before.id && !run_id))
    .map(({ id }) => id);
  const archive = { count: archived, summaries: archived ? chat.archive.summaries : null };
  return unseen({ ...chat, summaries: conversations, archive, complaint: null }, over);
}

function unseen(chat: Chat, ids: readonly string[]): Chat {
  const fresh = ids.filter(id => id && id !== shown(chat).id && !chat.unseen.includes(id));
  return fresh.length ? { ...chat, unseen: [...chat.unseen, ...fresh] } : chat;
}

/** An answer that ended out of sight is noted. */
function noticed(before: Chat, after: Chat, key: string): Chat {
  const [was, is] = [before.conversations[key], after.conversations[key]];
  return was && is && was !== is && running(was) && !running(is) ? unseen(after, [is.id]) : after;
}

function renamed(chat: Chat, id: string, title: string): Chat {
  const named = <T extends { readonly id: string }>(each: T): T => (each.id === id ? { ...each, title } : each);
  const conversations = Object.fromEntries(Object.entries(chat.conversations).map(([key, each]) => [key, named(each)]));
  const archive = { ...chat.archive, summaries: chat.archive.summaries?.map(named) ?? null };
  return { ...chat, conversations, archive, summaries: chat.summaries.map(named) };
}

/** Without a conversation that is deleted; who shows it must show another one first. */
function removed(chat: Chat, id: string): Chat {
  const kept = Object.entries(chat.conversations).filter(([key, each]) => each.id !== id || key === chat.shown);
  const others = ({ id: each }: Summary): boolean => each !== id;
  const archive = { ...chat.archive, summaries: chat.archive.summaries?.filter(others) ?? null };
  return { ...chat, conversations: Object.fromEntries(kept), archive, summaries: chat.summaries.filter(others) };
}

function within(chat: Chat, key: string, change: (conversation: Conversation) => Conversation): Chat {
  const before = chat.conversations[key];
  if (!before) {
    return chat;
  }
  const after = change(before);
  return after === before ? chat : { ...chat, conversations: { ...chat.conversations, [key]: after } };
}

function show(chat: Chat, key: string, id: string, title: string): Chat {
  const conversation = chat.conversations[key] ?? fresh(key, id, title);
  const unseen = chat.unseen.filter(each => each !== conversation.id);
  return { ...chat, shown: key, unseen, conversations: { ...chat.conversations, [key]: conversation } };
}

function ask(conversation: Conversation, id: string, text: string, answer: string): Conversation {
  const entries = [...conversation.entries, { role: 'user', id, text } as const, { ...awaited(answer), asked: true }];
  return { ...conversation, entries, title: conversation.title || text.slice(0, 60), failure: null };
}

/** Takes a question that was not accepted out again; its text goes back into the composer. */
function withdraw(chat: Chat, key: string, answer: string): Chat {
  const conversation = chat.conversations[key];
  const index = conversation?.entries.findIndex(entry => entry.id === answer) ?? -1;
  if (!conversation || index < 1) {
    return chat;
  }
  const entries = conversation.entries.filter((_, at) => at !== index && at !== index - 1);
  const draft = { text: questionOf(conversation, answer) };
  return { ...within(chat, key, before => ({ ...before, entries })), draft };
}

function hear(conversation: Conversation, id: string, heard: Heard, at: number): Conversation {
  const after = onRunning(conversation, id, answer => heardBy(answer, heard, at));
  return after !== conversation && heard.kind === 'event' && heard.event ? headed(after, heard.event) : after;
}

/** What an event says of the conversation itself. */
function headed(conversation: Conversation, event: RunEvent): Conversation {
  if (event.name === 'run') {
    return { ...conversation, id: event.conversation_id };
  }
  return event.name === 'title' ? { ...conversation, title: event.text } : conversation;
}

function heardBy(answer: Answer, heard: Heard, at: number): Answer {
  if (heard.kind === 'snapshot') {
    return { ...stored(heard.message), id: answer.id, thought: answer.thought, stopping: answer.stopping };
  }
  if (heard.kind === 'wire') {
    return { ...answer, wire: heard.state };
  }
  const after = { ...answer, last: heard.number };
  return heard.event ? told(after, heard.event, at) : after;
}

function told(answer: Answer, event: RunEvent, at: number): Answer {
  switch (event.name) {
    case 'run':
      return { ...answer, run_id: event.run_id, model: event.model };
    case 'status':
      return { ...answer, status: event.text };
    case 'context':
      return { ...answer, given: event.given, status: '' };
    case 'sources':
      return { ...answer, sources: event.sources };
    case 'reasoning':
      return { ...answer, reasoning: answer.reasoning + event.text, thought: witnessed(answer, at), status: '' };
    case 'token':
      return { ...answer, text: answer.text + event.text, status: '' };
    case 'usage':
      return { ...answer, usage: event.usage };
    case 'error':
      return { ...answer, failure: event.failure };
    case 'done':
      return ended(answer, event.reason);
    default:
      return answer;
  }
}

/** A run that was joined comes in one burst: how long it thought before that, nobody here has seen. */
function witnessed({ asked, thought }: Answer, at: number): Thought | null {
  return asked ? { from: thought?.from ?? at, to: at } : null;
}

function ended(answer: Answer, state: Reason): Answer {
  return { ...answer, state, status: '', wire: 'open', stopping: false };
}

function onAnswer(conversation: Conversation, id: string, change: (answer: Answer) => Answer): Conversation {
  const index = conversation.entries.findLastIndex(entry => entry.id === id);
  const before = conversation.entries[index];
  if (before?.role !== 'assistant') {
    return conversation;
  }
  const after = change(before);
  return after === before ? conversation : { ...conversation, entries: conversation.entries.with(index, after) };
}

function onRunning(conversation: Conversation, id: string, change: (answer: Answer) => Answer): Conversation {
  return onAnswer(conversation, id, answer => (answer.state === 'running' ? change(answer) : answer));
}

function stored(message: StoredMessage): Answer {
  return {
    ...awaited(message.id, message.run_id),
    model: message.model,
    state: message.state,
    text: message.text,
    reasoning: message.reasoning,
    given: message.given,
    sources: message.sources,
    usage: message.usage,
    failure: message.failure
  };
}

function entry(message: StoredMessage): Entry {
  return message.role === 'user' ? { role: 'user', id: message.id, text: message.text } : stored(message);
}

/** The id an entry has here already, so that it stays the same on the screen; else the stored one. */
function knownId(message: StoredMessage, { entries }: Conversation): string {
  const index = entries.findIndex(each => each.role === 'assistant' && each.run_id === message.run_id);
  const known = message.run_id === '' ? undefined : entries[message.role === 'user' ? index - 1 : index];
  return known?.role === message.role ? known.id : message.id;
}

/** A server that was killed may have stored less of an answer than was heard here: what was on the screen stays. */
function fuller(entry: Entry, { entries }: Conversation): Entry {
  if (entry.role === 'user') {
    return entry;
  }
  const heard = entries.find(each => each.role === 'assistant' && each.run_id !== '' && each.run_id === entry.run_id);
  if (heard?.role !== 'assistant') {
    return entry;
  }
  const { thought } = heard;
  return heard.text.length <= entry.text.length
    ? { ...entry, thought }
    : { ...entry, thought, text: heard.text, reasoning: heard.reasoning, given: entry.given ?? heard.given };
}

/** A conversation as the server has it. A running answer starts empty: its run is heard from the beginning. */
function loaded(conversation: Conversation, from: StoredConversation): Conversation {
  const messages = from.messages.map(message => ({ ...message, id: knownId(message, conversation) }));
  const kept = messages.filter(message => !from.run_id || message.run_id !== from.run_id || message.role === 'user');
  const entries: Entry[] = kept.map(message => fuller(entry(message), conversation));
  if (from.run_id) {
    const message = messages.find(each => each.role === 'assistant' && each.run_id === from.run_id);
    entries.push(awaited(message?.id ?? from.run_id, from.run_id));
  }
  return { ...conversation, id: from.id, title: from.title, entries, loading: false, failure: null };
}

/** Whether the server has more than is here: another tab has asked. What the server does not have is never given up. */
export function newer({ entries }: Conversation, { run_id, messages }: StoredConversation): boolean {
  const answers = entries.filter(entry => entry.role === 'assistant');
  if (answers.some(answer => answer.state === 'running' || !answer.run_id)) {
    return false;
  }
  const here = (there: StoredMessage): boolean =>
    answers.some(answer => answer.run_id === there.run_id && answer.text.length >= there.text.length);
  return run_id !== '' || !messages.filter(message => message.role === 'assistant').every(here);
}
