/**
 * What can be done about an answer that did not end well; pure.
 *
 * The law: exactly one thing, the one that most likely helps, and never one that an administrator has locked.
 */

import type { Answer, Chat, Conversation, Remedy } from './conversation';
import { connection } from './models';
import type { ContextItem } from './protocol';

/** What an answer's remedy depends on besides the answer. */
export interface Circumstances {
  /** Whether there is an endpoint at all. */
  readonly connected: boolean;
  readonly locked: readonly string[];
  /** Whether something was said before its question. */
  readonly later: boolean;
  /** Whether a key is set, as far as is known here. */
  readonly keyed: boolean;
}

const NOTHING_KNOWN: Circumstances = { connected: false, locked: [], later: false, keyed: false };

export function circumstances({ catalogue, locked, settings }: Chat, { entries }: Conversation): Circumstances {
  return {
    connected: catalogue !== null && connection(catalogue) !== 'none',
    locked,
    later: entries.length > 2,
    keyed: settings?.some(({ name, set }) => name === 'api_key' && set) ?? false
  };
}

/** What an answer that did not end well offers; null when it did. */
export function remedy(answer: Answer, around = NOTHING_KNOWN): Remedy | null {
  if (answer.state === 'running') {
    return null;
  }
  if (answer.until !== null) {
    return 'cancel';
  }
  if (answer.failure) {
    return failed(answer, answer.failure.code, around);
  }
  if (answer.state === 'interrupted' || answer.state === 'cancelled') {
    return answer.text ? 'continue' : 'retry';
  }
  return answer.state === 'length' || answer.state === 'limit' ? 'continue' : null;
}

function failed(answer: Answer, code: string, around: Circumstances): Remedy {
  switch (code) {
    case 'no_model':
      return around.connected ? unlocked('model', around, 'model') : unlocked('connect', around, 'base_url', 'model');
    case 'key_rejected':
      return unlocked('key', around, 'base_url', 'api_key');
    case 'endpoint_not_found':
    case 'not_a_gateway':
      return unlocked('address', around, 'base_url');
    case 'model_not_found':
    case 'permission_denied':
    case 'quota_exceeded':
      return unlocked('model', around, 'model');
    case 'context_too_long':
      return tooLong(answer, around);
    case 'notebook_not_found':
    case 'notebook_unreadable':
    case 'path_refused':
      return 'bare';
    case 'gateway_cut':
      return answer.text ? 'continue' : 'retry';
    case 'connection_lost':
      return answer.run_id ? 'reconnect' : 'retry';
    case 'invalid':
    case 'too_large':
      return 'edit';
    default:
      return 'retry';
  }
}

function unlocked(wanted: Remedy, { locked }: Circumstances, ...settings: string[]): Remedy {
  return settings.some(name => locked.includes(name)) ? 'retry' : wanted;
}

/** A new conversation leaves out what was said before; else only a smaller share of the notebook helps. */
function tooLong({ given }: Answer, around: Circumstances): Remedy {
  if (around.later) {
    return 'fresh';
  }
  return given?.items.length && !around.locked.includes('context_tokens') ? 'budget' : 'edit';
}

/** The items that take the most room, the largest first. */
export function biggest({ given }: Answer, count = 3): readonly ContextItem[] {
  return (given?.items ?? []).toSorted((one, other) => other.chars - one.chars).slice(0, count);
}
