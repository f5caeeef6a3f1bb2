/**
 * What the panel knows, as values, and how each thing that happens changes it; pure.
 *
 * The law: everything that moves the state is in this folder. An event names its conversation and its answer, so that a
 * late one can never land in another; what has ended stays as it ended.
 */

import type { Part } from '../host';
import { languageModel } from '../models';
import type { Catalogue, Failure, Listing, Setting, Summary } from '../protocol';
import type { Chat, Dialog, Mending } from './chat';
import { within } from './chat';
import { listed, noticed, removed, renamed } from './list';
import type { Happening } from './thread';
import { fresh, happen, questionOf } from './thread';

export { awaited } from './answer';
export type { Chat, Dialog, Mending, Remedy } from './chat';
export { begin, shown } from './chat';
export type { Answer, Asked, Conversation, Entry, Thought } from './entries';
export { newer } from './stored';
export { lastQuestion, questionOf, running } from './thread';

export type Action =
  | Happening
  | { readonly do: 'show'; readonly key: string; readonly id: string; readonly title: string }
  | { readonly do: 'withdraw'; readonly key: string; readonly answer: string }
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
        within(chat, action.key, conversation => happen(conversation, action)),
        action.key
      );
  }
}

function lockedNames(settings: readonly Setting[]): string[] {
  return settings.filter(({ locked }) => locked).map(({ name }) => name);
}

function show(chat: Chat, key: string, id: string, title: string): Chat {
  const conversation = chat.conversations[key] ?? fresh(key, id, title);
  const unseen = chat.unseen.filter(each => each !== conversation.id);
  return { ...chat, shown: key, unseen, conversations: { ...chat.conversations, [key]: conversation } };
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
