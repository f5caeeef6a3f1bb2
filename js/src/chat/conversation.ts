/**
 * What the panel knows, as values, and how each thing that happens changes it; pure.
 *
 * The law: everything that moves the state is here. An event names its conversation and its answer, so that a late one
 * can never land in another; what has ended stays as it ended.
 */

import type { Heard } from './follow';
import type {
  Failure,
  Given,
  Reason,
  RunEvent,
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

export interface Answer {
  readonly role: 'assistant';
  readonly id: string;
  readonly run_id: string;
  readonly model: string;
  readonly state: 'running' | Reason;
  readonly text: string;
  readonly reasoning: string;
  readonly status: string;
  readonly given: Given | null;
  readonly sources: readonly Source[];
  readonly usage: Usage | null;
  readonly failure: Failure | null;
  readonly wire: 'open' | 'lost' | 'whole';
  readonly stopping: boolean;
  /** The number of the last event heard. */
  readonly last: number;
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
  /** The default model; empty when none is connected, null until known. */
  readonly model: string | null;
  /** A question that goes back into the composer; a new object each time. */
  readonly draft: { readonly text: string } | null;
}

export type Action =
  | { readonly do: 'show'; readonly key: string; readonly id: string; readonly title: string }
  | { readonly do: 'ask'; readonly key: string; readonly id: string; readonly text: string; readonly answer: string }
  | { readonly do: 'hear'; readonly key: string; readonly answer: string; readonly heard: Heard }
  | { readonly do: 'stopping'; readonly key: string; readonly answer: string; readonly stopping: boolean }
  | { readonly do: 'fail'; readonly key: string; readonly answer: string; readonly failure: Failure }
  | { readonly do: 'end'; readonly key: string; readonly answer: string; readonly reason: Reason }
  | { readonly do: 'restart'; readonly key: string; readonly answer: string }
  | { readonly do: 'withdraw'; readonly key: string; readonly answer: string }
  | { readonly do: 'load'; readonly key: string }
  | { readonly do: 'loaded'; readonly key: string; readonly conversation: StoredConversation }
  | { readonly do: 'unloadable'; readonly key: string; readonly failure: Failure }
  | { readonly do: 'summaries'; readonly summaries: readonly Summary[] }
  | { readonly do: 'model'; readonly model: string }
  | { readonly do: 'draft'; readonly text: string };

/** The one action an ended answer offers. */
export type Remedy = 'retry' | 'continue' | 'edit' | 'reconnect';

function fresh(key: string, id: string, title: string): Conversation {
  return { key, id, title, entries: [], loading: false, failure: null };
}

/** A panel that shows an empty, new conversation. */
export function begin(key: string): Chat {
  return {
    shown: key,
    conversations: { [key]: fresh(key, '', '') },
    summaries: [],
    model: null,
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
    status: '',
    given: null,
    sources: [],
    usage: null,
    failure: null,
    wire: 'open',
    stopping: false,
    last: 0
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

/** What an answer that did not end well offers; null when it did. */
export function remedy(answer: Answer): Remedy | null {
  if (answer.failure) {
    return failureRemedy(answer, answer.failure.code);
  }
  if (answer.state === 'interrupted') {
    return answer.text ? 'continue' : 'retry';
  }
  return answer.state === 'length' || answer.state === 'limit' ? 'continue' : null;
}

function failureRemedy(answer: Answer, code: string): Remedy {
  if (code === 'gateway_cut') {
    return answer.text ? 'continue' : 'retry';
  }
  if (code === 'connection_lost') {
    return answer.run_id ? 'reconnect' : 'retry';
  }
  return code === 'invalid' || code === 'too_large' ? 'edit' : 'retry';
}

/** The state after an action. An action about something that is not there changes nothing. */
export function reduce(chat: Chat, action: Action): Chat {
  switch (action.do) {
    case 'show':
      return show(chat, action.key, action.id, action.title);
    case 'summaries':
      return { ...chat, summaries: action.summaries };
    case 'model':
      return { ...chat, model: action.model };
    case 'draft':
      return { ...chat, draft: { text: action.text } };
    case 'withdraw':
      return withdraw(chat, action.key, action.answer);
    default:
      return within(chat, action.key, conversation => inConversation(conversation, action));
  }
}

type Inner = Extract<Action, { key: string }>;

function inConversation(conversation: Conversation, action: Inner): Conversation {
  switch (action.do) {
    case 'ask':
      return ask(conversation, action.id, action.text, action.answer);
    case 'hear':
      return hear(conversation, action.answer, action.heard);
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
  return { ...chat, shown: key, conversations: { ...chat.conversations, [key]: conversation } };
}

function ask(conversation: Conversation, id: string, text: string, answer: string): Conversation {
  const entries = [...conversation.entries, { role: 'user', id, text } as const, awaited(answer)];
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

function hear(conversation: Conversation, id: string, heard: Heard): Conversation {
  const after = onRunning(conversation, id, answer => heardBy(answer, heard));
  return after !== conversation && heard.kind === 'event' && heard.event ? headed(after, heard.event) : after;
}

/** What an event says of the conversation itself. */
function headed(conversation: Conversation, event: RunEvent): Conversation {
  if (event.name === 'run') {
    return { ...conversation, id: event.conversation_id };
  }
  return event.name === 'title' ? { ...conversation, title: event.text } : conversation;
}

function heardBy(answer: Answer, heard: Heard): Answer {
  if (heard.kind === 'snapshot') {
    return { ...stored(heard.message), id: answer.id, stopping: answer.stopping };
  }
  if (heard.kind === 'wire') {
    return { ...answer, wire: heard.state };
  }
  const after = { ...answer, last: heard.number };
  return heard.event ? told(after, heard.event) : after;
}

function told(answer: Answer, event: RunEvent): Answer {
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
      return { ...answer, reasoning: answer.reasoning + event.text, status: '' };
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

/** A server that was killed may have stored less of an answer than was heard here: what was on the screen stays. */
function fuller(entry: Entry, { entries }: Conversation): Entry {
  if (entry.role === 'user') {
    return entry;
  }
  const heard = entries.find(each => each.role === 'assistant' && each.run_id !== '' && each.run_id === entry.run_id);
  if (heard?.role !== 'assistant' || heard.text.length <= entry.text.length) {
    return entry;
  }
  return { ...entry, text: heard.text, reasoning: heard.reasoning, given: entry.given ?? heard.given };
}

/** A conversation as the server has it. A running answer starts empty: its run is heard from the beginning. */
function loaded(conversation: Conversation, from: StoredConversation): Conversation {
  const kept = from.messages.filter(
    message => !from.run_id || message.run_id !== from.run_id || message.role === 'user'
  );
  const entries: Entry[] = kept.map(message => fuller(entry(message), conversation));
  if (from.run_id) {
    const message = from.messages.find(each => each.role === 'assistant' && each.run_id === from.run_id);
    entries.push(awaited(message?.id ?? from.run_id, from.run_id));
  }
  return { ...conversation, id: from.id, title: from.title, entries, loading: false, failure: null };
}
