/**
 * Error outputs with two buttons, Fix and Explain.
 *
 * The law: they are part of what renders the error, so they come, move and go with it; nothing watches the notebook.
 */

import '../../style/cells.css';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { Message } from '@lumino/messaging';
import { Panel, Widget } from '@lumino/widgets';
import type { Trans } from '../chat/host';

/** What an error output has besides the text of its traceback, which is rendered as `TEXT`. */
const ERROR = 'application/vnd.jupyter.error';
const TEXT = 'application/vnd.jupyter.stderr';

export type About = 'fix' | 'explain';

/** Called with the button that was pressed. */
export type OnError = (about: About, button: HTMLElement) => void;

export function addErrorButtons(registry: IRenderMimeRegistry, trans: Trans, onError: OnError): void {
  const text = registry.getFactory(TEXT);
  if (text && !registry.getFactory(ERROR)) {
    registry.addFactory({
      safe: true,
      mimeTypes: [ERROR],
      defaultRank: 100,
      createRenderer: options =>
        new ErrorOutput(text.createRenderer({ ...options, mimeType: TEXT }), buttons(trans, onError))
    });
  }
}

class ErrorOutput extends Panel implements IRenderMime.IRenderer {
  readonly #traceback: IRenderMime.IRenderer;
  readonly #buttons: HTMLElement;

  constructor(traceback: IRenderMime.IRenderer, bar: HTMLElement) {
    super();
    this.#traceback = traceback;
    this.#buttons = bar;
    this.addWidget(traceback);
    this.addWidget(new Widget({ node: bar }));
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    return this.#traceback.renderModel(model);
  }

  /** Outside of a notebook (a console, an output in a tab of its own) there is no cell to ask about. */
  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.#buttons.hidden = this.node.closest('.jp-Notebook .jp-CodeCell') === null;
  }
}

function buttons(trans: Trans, onError: OnError): HTMLElement {
  const bar = document.createElement('div');
  bar.className = 'jp-Assistant-errorButtons';
  bar.dataset['lmSuppressShortcuts'] = 'true';
  bar.append(
    button(trans.__('Fix'), trans.__('Ask the assistant to fix this error'), 'fix', onError),
    button(trans.__('Explain'), trans.__('Ask the assistant to explain this error'), 'explain', onError)
  );
  return bar;
}

function button(label: string, title: string, about: About, onError: OnError): HTMLElement {
  const made = document.createElement('button');
  made.type = 'button';
  made.textContent = label;
  made.title = title;
  made.addEventListener('click', () => {
    onError(about, made);
  });
  return made;
}
