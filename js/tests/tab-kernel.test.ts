import type { ISessionContext } from '@jupyterlab/apputils';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ready } from '../src/lab/tab/kernel';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  document.body.replaceChildren();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

/** A session as JupyterLab sets it up; `start` makes it ready. */
function starting(asks: boolean): { readonly session: ISessionContext; readonly start: () => void } {
  let start = (): void => undefined;
  const session = {
    isReady: false,
    ready: new Promise<void>(resolve => {
      start = () => {
        session.hasNoKernel = false;
        resolve();
      };
    }),
    initialize: () => Promise.resolve(asks),
    hasNoKernel: asks,
    startKernel: () => Promise.resolve(true),
    session: { kernel: { status: 'idle' } }
  };
  return { session: session as unknown as ISessionContext, start };
}

/** JupyterLab asks the user; what takes the question away. */
function asking(): () => void {
  const dialog = document.createElement('dialog');
  dialog.className = 'jp-Dialog';
  document.body.append(dialog);
  return () => {
    dialog.remove();
  };
}

/** What became of it so far. */
function watched(work: Promise<void>): () => string {
  let outcome = 'open';
  work.then(
    () => {
      outcome = 'ready';
    },
    (error: unknown) => {
      outcome = String(error);
    }
  );
  return () => outcome;
}

const never = new AbortController().signal;

test('a user who is asked for a kernel is not waited for longer than a few seconds', async () => {
  asking();
  const outcome = watched(ready(starting(true).session, never));
  await vi.advanceTimersByTimeAsync(3_900);
  expect(outcome()).toBe('open');
  await vi.advanceTimersByTimeAsync(200);
  expect(outcome()).toContain('asks the user which kernel');
});

test('a user who was asked and wants no kernel is not said to be asked', async () => {
  const answer = asking();
  const outcome = watched(ready(starting(true).session, never));
  await vi.advanceTimersByTimeAsync(1_200);
  answer();
  await vi.advanceTimersByTimeAsync(400);
  expect(outcome()).toContain('names none that is installed');
});

test('who chooses a kernel at once is waited for', async () => {
  asking();
  const { session, start } = starting(true);
  const outcome = watched(ready(session, never));
  await vi.advanceTimersByTimeAsync(3_000);
  start();
  await vi.advanceTimersByTimeAsync(0);
  expect(outcome()).toBe('ready');
});

test('a kernel that starts has its time', async () => {
  const outcome = watched(ready(starting(false).session, never));
  await vi.advanceTimersByTimeAsync(59_000);
  expect(outcome()).toBe('open');
  await vi.advanceTimersByTimeAsync(1_100);
  expect(outcome()).toContain('no kernel yet');
});

test('a cancelled run does not wait for a kernel', async () => {
  const gone = new AbortController();
  const outcome = watched(ready(starting(false).session, gone.signal));
  gone.abort();
  await vi.advanceTimersByTimeAsync(0);
  expect(outcome()).toContain('cancelled');
});
