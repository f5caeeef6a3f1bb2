/**
 * The Jupyter server that serves this page, where there is one.
 *
 * The law: the token and the XSRF cookie go to the page's own origin and nowhere else.
 */

import type { Fetch } from '../chat/http';
import { object, parse } from '../chat/protocol';

/** Milliseconds for which the server may think about whether it is there; later than that it is believed. */
const PATIENCE = 10_000;

/** The way to the assistant's routes, as JupyterLab and Notebook 7 tell it in their pages; null in other pages. */
export function pageServer(page: Document = document): Fetch | null {
  const told = object(parse(page.getElementById('jupyter-config-data')?.textContent ?? ''));
  const { baseUrl, token } = told;
  if (typeof baseUrl !== 'string') {
    return null;
  }
  const routes = new URL(`${baseUrl.replace(/\/*$/, '')}/assistant/`, page.location.href);
  if (routes.origin !== page.location.origin) {
    return null;
  }
  return (path, init) =>
    fetch(new URL(path, routes), {
      ...init,
      credentials: 'same-origin',
      headers: { ...(init.headers as Record<string, string>), ...proof(page, token) }
    });
}

/** Who we are: the token where the page has it, and what makes a cookie count. */
function proof(page: Document, token: unknown): Record<string, string> {
  const xsrf = /(?:^|; )_xsrf=([^;]*)/.exec(page.cookie)?.[1];
  return {
    ...(typeof token === 'string' && token ? { Authorization: `token ${token}` } : {}),
    ...(xsrf ? { 'X-XSRFToken': decodeURIComponent(xsrf) } : {})
  };
}

/** Whether the assistant is on that server; a server without it, or none at all, says otherwise. */
export async function answers(server: Fetch, signal: AbortSignal): Promise<boolean> {
  const patience = AbortSignal.timeout(PATIENCE);
  try {
    const { status } = await server('health', {
      headers: { Accept: 'application/json' },
      signal: AbortSignal.any([signal, patience])
    });
    return status !== 404;
  } catch {
    return patience.aborted;
  }
}
