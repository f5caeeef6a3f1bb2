/**
 * The right sidebar's widget: empty until it is first seen, then the panel.
 *
 * The law: the chat's code is loaded on first use, never at start.
 */

import { LabIcon } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import type { Code } from '../chat/markdown/fence';
import type { Mounted } from '../chat/mount';

export const assistantIcon = new LabIcon({
  name: 'jupyter-assistant:icon',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 24 24">' +
    '<path class="jp-icon3" fill="#616161" d="M4 3h16a2 2 0 0 1 2 2v11a2 2 0 0 1-2 2h-8.2L7 21.6V18H4a2 2 0 0 1-2-2V5' +
    'c0-1.1.9-2 2-2zm8 3-1.3 3.2L7.500 10.500l3.200 1.300L12 15l1.300-3.200 3.200-1.300-3.200-1.300z"/></svg>'
});

export class Sidebar extends Widget {
  readonly #load: () => Promise<(el: HTMLElement) => Mounted>;
  readonly #failure: string;
  #mounted: Promise<Mounted> | null = null;
  #panel: Mounted | null = null;

  /** `load` fetches the panel's code; `failure` is what is shown when that fails. */
  constructor(load: () => Promise<(el: HTMLElement) => Mounted>, caption: string, failure: string) {
    super();
    this.#load = load;
    this.#failure = failure;
    this.id = 'jupyter-assistant';
    this.addClass('jp-Assistant');
    this.title.icon = assistantIcon;
    this.title.caption = caption;
    this.node.dataset['lmSuppressShortcuts'] = 'true';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', caption);
  }

  /** Whether the cursor is in the composer. */
  get focused(): boolean {
    return this.#panel?.focused() ?? false;
  }

  /** The newest code block of the shown conversation; null without one. */
  lastCode(): Code | null {
    return this.#panel?.lastCode() ?? null;
  }

  /** Goes to the message before or after the one that has the focus, where the panel is loaded. */
  step(by: -1 | 1): void {
    this.#panel?.step(by);
  }

  /** Goes out of the shell with all it has loaded; no run is stopped, and added again it goes on where it was. */
  leave(): void {
    this.parent = null;
    this.#panel?.dispose();
    this.#panel = null;
    this.#mounted = null;
  }

  override dispose(): void {
    this.#panel?.dispose();
    super.dispose();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    if (this.isVisible) {
      void this.ready();
    }
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    void this.ready();
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    void this.ready().then(panel => panel?.focus());
  }

  /** The panel, loaded if need be; null when that failed, which is shown. */
  async ready(): Promise<Mounted | null> {
    const mounted = (this.#mounted ??= this.#load().then(mount => mount(this.node)));
    try {
      const panel = await mounted;
      if (this.isDisposed || this.#mounted !== mounted) {
        panel.dispose();
        return null;
      }
      this.#panel = panel;
      return panel;
    } catch (error) {
      this.#mounted = null;
      this.node.textContent = this.#failure;
      console.error(error);
      return null;
    }
  }
}
