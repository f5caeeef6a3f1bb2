/**
 * Waiting for a gateway that wants to be asked less often.
 *
 * The law: counted and bounded; a question that was asked elsewhere, or must wait long, is left to its user.
 */

import type { Answer } from './conversation';

/** Seconds of waiting where the gateway names none, and the longest that is waited. */
const USUAL_S = 10;
const LONGEST_S = 120;

/** Seconds after which an answer's question is asked again by itself; null when it is not. */
export function patience({ asked, failure }: Answer): number | null {
  const seconds = failure?.retry_after ?? USUAL_S;
  return asked && failure?.code === 'rate_limited' && seconds <= LONGEST_S ? seconds : null;
}

/** Whether the time has passed, rather than the signal was given. */
export function passed(seconds: number, signal: AbortSignal): Promise<boolean> {
  return new Promise(resolve => {
    const timer = setTimeout(() => {
      resolve(true);
    }, seconds * 1_000);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve(false);
    });
  });
}
