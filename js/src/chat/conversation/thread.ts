/**
 * One conversation, and how what happens in it changes it; pure.
 *
 * The law: an action names its answer, so that a late one can never land in another.
 */

import type { Heard } from '../follow';
import type { Failure, Reason, RunEvent, StoredConversation } from '../protocol';
import { awaited, ended, heardBy } from './answer';
import type { Answer, Conversation } from './entries';
import { loaded } from './stored';

/** What can happen in a conversation; `key` names it. */
export type Happening =
  | { readonly do: 'ask'; readonly key: string; readonly id: string; readonly text: string; readonly answer: string }
  | { readonly do: 'hear'; readonly key: string; readonly answer: string; readonly heard: Heard; readonly at: number }
  | { readonly do: 'stopping'; readonly key: string; readonly answer: string; readonly stopping: boolean }
  | { readonly do: 'fail'; readonly key: string; readonly answer: string; readonly failure: Failure }
  | { readonly do: 'end'; readonly key: string; readonly answer: string; readonly reason: Reason }
  | { readonly do: 'restart'; readonly key: string; readonly answer: string }
  | { readonly do: 'wait'; readonly key: string; readonly answer: string; readonly until: number | null }
  | { readonly do: 'load'; readonly key: string }
  | { readonly do: 'loaded'; readonly key: string; readonly conversation: StoredConversation }
  | { readonly do: 'unloadable'; readonly key: string; readonly failure: Failure };

/** A conversation in which nothing was said yet. */
export function fresh(key: string, id: string, title: string): Conversation {
  return { key, id, title, entries: [], loading: false, failure: null };
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

/** The conversation after it; the very same where it changes nothing. */
export function happen(conversation: Conversation, action: Happening): Conversation {
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
  }
}

function ask(conversation: Conversation, id: string, text: string, answer: string): Conversation {
  const entries = [...conversation.entries, { role: 'user', id, text } as const, { ...awaited(answer), asked: true }];
  return { ...conversation, entries, title: conversation.title || text.slice(0, 60), failure: null };
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
