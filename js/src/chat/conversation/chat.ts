/** Everything the panel knows, as one value. */

import type { Part } from '../host';
import type { Catalogue, Failure, Setting, Summary } from '../protocol';
import type { Conversation } from './entries';
import { fresh } from './thread';

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

/** The conversation on the screen. */
export function shown(chat: Chat): Conversation {
  return chat.conversations[chat.shown] ?? fresh(chat.shown, '', '');
}

/** With one conversation changed; the very same where nothing is. */
export function within(chat: Chat, key: string, change: (conversation: Conversation) => Conversation): Chat {
  const before = chat.conversations[key];
  if (!before) {
    return chat;
  }
  const after = change(before);
  return after === before ? chat : { ...chat, conversations: { ...chat.conversations, [key]: after } };
}
