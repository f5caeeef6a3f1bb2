/** The way to our routes: JupyterLab's own connection, which knows the base URL, the token and the XSRF cookie. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type { Fetch } from '../chat/http';

export function labFetch(settings: ServerConnection.ISettings): Fetch {
  return (path, init) => ServerConnection.makeRequest(URLExt.join(settings.baseUrl, 'assistant', path), init, settings);
}
