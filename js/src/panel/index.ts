/**
 * The anywidget: the panel in an output cell, over HTTP where a Jupyter server serves the page, else through the kernel.
 *
 * The law: views are independent and share only their widget's state; when one goes, nothing of it is left, and no run
 * was stopped.
 */

import '../../style/index.css';
import '../../style/transcript.css';
import '../../style/models.css';
import '../../style/cell.css';
import type { Fetch } from '../chat/http';
import { httpTransport } from '../chat/http';
import { mount, newId } from '../chat/mount';
import { offered } from '../chat/offer';
import { kernelLine, makeBox } from './box';
import type { KernelState } from './comm';
import { Kernel } from './comm';
import { cellHost } from './host';
import type { Model } from './model';
import { onModel } from './model';
import { answers, pageServer } from './server';

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const lifetime = new AbortController();
  const { signal } = lifetime;
  const host = cellHost({ model, el, lent: offered() });
  const box = makeBox(model, host.trans, signal);
  let [overComm, state]: [boolean, KernelState] = [false, 'free'];
  const say = (): void => {
    box.say(kernelLine(state, overComm, host.trans));
  };
  const kernel = new Kernel(
    {
      send: content => {
        model.send(content);
      },
      id: newId,
      trans: host.trans,
      onState: now => {
        state = now;
        say();
      }
    },
    signal
  );
  const way = chosen(kernel, signal).then(fetch => {
    overComm = fetch === kernel.fetch;
    say();
    return fetch;
  });
  listen(model, box.root, kernel, signal);
  el.append(box.root);
  const mounted = mount(box.stage, {
    transport: httpTransport(async (path, init) => (await way)(path, init)),
    host
  });
  return () => {
    mounted.dispose();
    lifetime.abort();
    box.root.remove();
  };
}

/** The server of this page, when the assistant is there; else the kernel. */
async function chosen(kernel: Kernel, signal: AbortSignal): Promise<Fetch> {
  const server = pageServer();
  return server && (await answers(server, signal)) ? server : kernel.fetch;
}

/** Hears the kernel and of its end, and asks it where the notebook is when the user comes: it may have been renamed. */
function listen(model: Model, root: HTMLElement, kernel: Kernel, signal: AbortSignal): void {
  onModel(
    model,
    'msg:custom',
    content => {
      kernel.hear(content);
    },
    signal
  );
  onModel(
    model,
    'comm_live_update', // there is only one such change: the widget's line to its kernel is cut
    () => {
      kernel.lose();
    },
    signal
  );
  const ask = (event?: FocusEvent): void => {
    const inside = event?.relatedTarget instanceof Node && root.contains(event.relatedTarget);
    if (!inside && !kernel.gone) {
      model.send({ kind: 'where' });
    }
  };
  root.addEventListener('focusin', ask, { signal });
  ask();
}

export default { render };
