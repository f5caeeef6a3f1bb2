/** What the server has of a conversation, laid over what is here; pure. What was heard here is never given up. */

import type { StoredConversation, StoredMessage } from '../protocol';
import { awaited, stored } from './answer';
import type { Conversation, Entry } from './entries';

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
export function loaded(conversation: Conversation, from: StoredConversation): Conversation {
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
