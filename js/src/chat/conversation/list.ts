/** The list of conversations: what is in it, what has ended unseen, and what is gone; pure. */

import type { Listing, Summary } from '../protocol';
import type { Chat } from './chat';
import { shown } from './chat';
import { running } from './thread';

/** The list as the server has it; what ran in the old one and is over now has ended unseen, unless it is shown. */
export function listed(chat: Chat, { conversations, archived }: Listing): Chat {
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
export function noticed(before: Chat, after: Chat, key: string): Chat {
  const [was, is] = [before.conversations[key], after.conversations[key]];
  return was && is && was !== is && running(was) && !running(is) ? unseen(after, [is.id]) : after;
}

/** With another title wherever the conversation stands. */
export function renamed(chat: Chat, id: string, title: string): Chat {
  const named = <T extends { readonly id: string }>(each: T): T => (each.id === id ? { ...each, title } : each);
  const conversations = Object.fromEntries(Object.entries(chat.conversations).map(([key, each]) => [key, named(each)]));
  const archive = { ...chat.archive, summaries: chat.archive.summaries?.map(named) ?? null };
  return { ...chat, conversations, archive, summaries: chat.summaries.map(named) };
}

/** Without a conversation that is deleted; who shows it must show another one first. */
export function removed(chat: Chat, id: string): Chat {
  const kept = Object.entries(chat.conversations).filter(([key, each]) => each.id !== id || key === chat.shown);
  const others = ({ id: each }: Summary): boolean => each !== id;
  const archive = { ...chat.archive, summaries: chat.archive.summaries?.filter(others) ?? null };
  return { ...chat, conversations: Object.fromEntries(kept), archive, summaries: chat.summaries.filter(others) };
}
