/**
 * A kernel for an open notebook, without asking anybody for one.
 *
 * The law: no dialog: where JupyterLab would ask the user, the request is refused and says what to do.
 */

import type { ISessionContext } from '@jupyterlab/apputils';
import { Refusal } from './wire';

/** Milliseconds for a kernel that is being started. */
const STARTING_MS = 60_000;

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
  const over = new Promise<'over'>(resolve => {
    setTimeout(resolve, STARTING_MS, 'over');
    signal.addEventListener('abort', () => {
      resolve('over');
    });
  });
  if ((await Promise.race([session.ready, over])) === 'over') {
    throw signal.aborted
      ? new Refusal('cancelled', 'The run was cancelled before it began.')
      : unable('The notebook has no kernel yet.', 'Ask the user to choose a kernel for it in JupyterLab.');
  }
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
