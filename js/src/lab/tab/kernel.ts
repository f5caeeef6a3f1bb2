/**
 * A kernel for an open notebook, without asking anybody for one.
 *
 * The law: no dialog: where JupyterLab would ask the user, the request is refused and says what to do.
 */

import type { ISessionContext } from '@jupyterlab/apputils';
import { Refusal } from './wire';

/** Milliseconds for a kernel that is being started. */
const STARTING_MS = 60_000;

/** Milliseconds for the user to answer JupyterLab's question which kernel to take, and between two looks at that. */
const [CHOOSING_MS, LOOK_MS] = [4_000, 500];

/** Ends once code can be sent; raises a `Refusal` where it cannot. */
export async function ready(session: ISessionContext, signal: AbortSignal): Promise<void> {
  await started(session, signal);
  if (session.isTerminating || session.isRestarting) {
    throw unable('The kernel is being restarted or shut down.', 'Try again in a moment.');
  }
  if (session.pendingInput) {
    throw unable('The kernel waits for an input of the user.', 'Ask the user to answer it in the notebook.');
  }
  if (!session.session?.kernel || session.hasNoKernel) {
    await startOne(session);
  }
  if (session.session?.kernel?.status === 'dead') {
    throw unable('The kernel is dead.', 'Restart the kernel, then run the cells again.');
  }
}

async function started(session: ISessionContext, signal: AbortSignal): Promise<void> {
  if (session.isReady) {
    return;
  }
  const over = new AbortController();
  const outcome = await Promise.race([
    session.ready,
    after(STARTING_MS, over.signal, 'starting' as const),
    aborted(signal, over.signal),
    unanswered(session, over.signal)
  ]).finally(() => {
    over.abort();
  });
  switch (outcome) {
    case 'aborted':
      throw new Refusal('cancelled', 'The run was cancelled before it began.');
    case 'choosing':
      throw unable(
        'JupyterLab asks the user which kernel the notebook is to have, as the one it names is not installed.',
        'Ask the user to choose a kernel in the dialog in JupyterLab, then run the cells again.'
      );
    case 'starting':
      throw unable('The notebook has no kernel yet.', 'Ask the user to choose a kernel for it in JupyterLab.');
  }
}

/** Ends when the user has not answered for a while, or with `none`; never where JupyterLab has nothing to ask. */
async function unanswered(session: ISessionContext, over: AbortSignal): Promise<'choosing' | 'none'> {
  let waited = 0;
  do {
    await after(LOOK_MS, over, undefined);
    waited += LOOK_MS;
  } while (isAsking() && waited < CHOOSING_MS);
  // By now JupyterLab has called it; a second call begins nothing and is told the same: whether the user was asked.
  const asked = await session.initialize().catch(() => false);
  if (asked && isAsking()) {
    return 'choosing';
  }
  return asked && session.hasNoKernel ? 'none' : new Promise(() => undefined);
}

function isAsking(): boolean {
  return document.querySelector('.jp-Dialog') !== null;
}

function after<T>(ms: number, over: AbortSignal, what: T): Promise<T> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, ms, what);
    over.addEventListener('abort', () => {
      clearTimeout(timer);
    });
  });
}

function aborted(signal: AbortSignal, over: AbortSignal): Promise<'aborted'> {
  return new Promise(resolve => {
    const leave = (): void => {
      resolve('aborted');
    };
    signal.addEventListener('abort', leave, { signal: over });
    if (signal.aborted) {
      leave();
    }
  });
}

async function startOne(session: ISessionContext): Promise<void> {
  const choice = await session.startKernel();
  if (choice || !session.session?.kernel) {
    throw unable(
      'The notebook has no kernel, and names none that is installed.',
      'Ask the user to choose a kernel for it in JupyterLab.'
    );
  }
}

function unable(text: string, hint: string): Refusal {
  return new Refusal('kernel_unable', text, hint);
}
