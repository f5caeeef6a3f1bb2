/**
 * The list of conversations as it is read: what is in it, found by a search, grouped by day; pure.
 *
 * The law: days are those of the reader's own calendar, and a conversation is in one group only.
 */

import type { Chat, Conversation } from './conversation';
import { running, shown } from './conversation';
import type { Summary } from './protocol';

/** `id` is empty until the server has given one, `key` until this panel has opened it. `updated` in epoch seconds. */
export interface Item {
  readonly id: string;
  readonly key: string;
  readonly title: string;
  readonly updated: number;
  readonly pinned: boolean;
  readonly running: boolean;
  readonly unseen: boolean;
  readonly shown: boolean;
}

export type Period = 'pinned' | 'today' | 'yesterday' | 'week' | 'month' | 'older';

export interface Group {
  readonly period: Period;
  readonly items: readonly Item[];
}

const PERIODS: readonly Period[] = ['pinned', 'today', 'yesterday', 'week', 'month', 'older'];

/** The conversations of this panel that the list does not have yet, then those it has. `now` in epoch seconds. */
export function items(chat: Chat, now: number): Item[] {
  const listed = [...chat.summaries, ...(chat.archive.summaries ?? [])];
  const ours = Object.values(chat.conversations).filter(({ entries }) => entries.length > 0);
  const unlisted = ours.filter(each => !listed.some(({ id }) => id === each.id));
  return [
    ...unlisted.map(({ id, key, title }) =>
      item(chat, { id, title, updated: now, pinned: false, run_id: '' }, chat.conversations[key])
    ),
    ...chat.summaries.map(summary => item(chat, summary, opened(chat, summary.id)))
  ];
}

/** The archived conversations; none until they were asked for. */
export function archived(chat: Chat): Item[] {
  return (chat.archive.summaries ?? []).map(summary => item(chat, summary, opened(chat, summary.id)));
}

function opened(chat: Chat, id: string): Conversation | undefined {
  return Object.values(chat.conversations).find(conversation => conversation.id === id);
}

/** What this panel hears of a running answer is newer than what the list says. */
function item(chat: Chat, { run_id, ...summary }: Summary, conversation: Conversation | undefined): Item {
  const heard = conversation?.entries.length ? running(conversation) !== null : run_id !== '';
  return {
    ...summary,
    key: conversation?.key ?? '',
    running: heard,
    unseen: !heard && chat.unseen.includes(summary.id),
    shown: conversation !== undefined && conversation === shown(chat)
  };
}

/** Letters as they compare: without case, accents and other marks. */
function plain(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
}

/** The items whose title has every word of `sought`, in any order. */
export function matching(all: readonly Item[], sought: string): Item[] {
  const words = plain(sought).split(/\s+/).filter(Boolean);
  return all.filter(({ title }) => {
    const text = plain(title);
    return words.every(word => text.includes(word));
  });
}

/** The groups that have something in them, newest first; weeks begin on Monday. */
export function grouped(all: readonly Item[], now: Date): Group[] {
  const sorted = [...all].sort((one, other) => other.updated - one.updated);
  return PERIODS.map(period => ({
    period,
    items: sorted.filter(each => (each.pinned ? 'pinned' : periodOf(each.updated, now)) === period)
  })).filter(({ items }) => items.length > 0);
}

/** The period in which a time (epoch seconds) lies for somebody who reads `now`. */
function periodOf(time: number, now: Date): Period {
  const [year, month, day] = [now.getFullYear(), now.getMonth(), now.getDate()];
  const sinceMonday = (now.getDay() + 6) % 7;
  const begins: readonly [Period, Date][] = [
    ['today', new Date(year, month, day)],
    ['yesterday', new Date(year, month, day - 1)],
    ['week', new Date(year, month, day - sinceMonday)],
    ['month', new Date(year, month, 1)]
  ];
  return begins.find(([, begin]) => time * 1000 >= begin.getTime())?.[0] ?? 'older';
}
