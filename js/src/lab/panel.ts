/** What is loaded when the sidebar is first seen: the chat, its style, and the way to the server. */

import '../../style/index.css';
import '../../style/transcript.css';
import '../../style/models.css';
import type { ServerConnection } from '@jupyterlab/services';
import type { Host } from '../chat/host';
import { httpTransport } from '../chat/http';
import type { Mounted } from '../chat/mount';
import { mount } from '../chat/mount';
import { labFetch } from './server';

export function mountPanel(el: HTMLElement, settings: ServerConnection.ISettings, host: Host): Mounted {
  return mount(el, { transport: httpTransport(labFetch(settings)), host });
}
