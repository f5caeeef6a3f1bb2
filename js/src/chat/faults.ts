/** What went wrong on the way to the server, as something that can be said. */

import type { Host } from './host';
import type { Failure } from './protocol';
import { Lost, Refused } from './transport';

/** What is said where the Jupyter server itself does not answer. */
export function unreachable({ trans }: Host): Failure {
  return {
    code: 'connection_lost',
    text: trans.__('The Jupyter server cannot be reached.'),
    hint: trans.__('Check that it still runs and that you are online.')
  };
}

/** A refusal says itself what is wrong; anything else is a server that does not answer. */
export function failureOf(error: unknown, host: Host): Failure {
  return error instanceof Refused ? error.failure : unreachable(host);
}

/** Lets through what a network does; anything else is our own mistake and must be seen. */
export function expected(error: unknown, signal: AbortSignal): void {
  if (!signal.aborted && !(error instanceof Refused) && !(error instanceof Lost)) {
    throw error;
  }
}
