/**
 * The panel's box in its cell: as high as its widget says, drawn larger by its user, with a line for the kernel's state.
 *
 * The law: a box never grows by itself, and its keys are its own: none of the notebook's is pressed in it.
 */

import type { Trans } from '../chat/host';
import type { KernelState } from './comm';
import type { Model } from './model';
import { onModel } from './model';

/** Milliseconds after drawing at its edge in which the box comes to rest. */
const REST_MS = 300;

/** A panel's height in CSS pixels, as its widget and the style sheet bound it. */
const [LOWEST, HIGHEST] = [200, 4_000];

export interface Box {
  readonly root: HTMLElement;
  /** Where the chat goes. */
  readonly stage: HTMLElement;
  /** Says what is to be known of the kernel; nothing where there is nothing. */
  say(text: string): void;
}

export function makeBox(model: Model, trans: Trans, signal: AbortSignal): Box {
  const [root, stage, line] = [element('div'), element('div'), element('p')];
  root.className = 'jp-AssistantCell';
  root.dataset['lmSuppressShortcuts'] = 'true';
  root.setAttribute('role', 'region');
  root.setAttribute('aria-label', trans.__('Assistant'));
  stage.className = 'jp-Assistant';
  line.className = 'jp-AssistantCell-line';
  line.setAttribute('role', 'status');
  root.append(stage, line);
  keepHeight(model, root, signal);
  keepLineBreaks(root, signal);
  return {
    root,
    stage,
    say: text => {
      line.textContent = text;
    }
  };
}

/** What the line says; where requests go to the server, the kernel matters only to the widget itself. */
export function kernelLine(state: KernelState, overComm: boolean, trans: Trans): string {
  if (state === 'gone') {
    return overComm
      ? trans.__('The kernel was restarted or has ended. Run this cell again to go on.')
      : trans.__('The kernel was restarted or has ended. You can go on here; run this cell again to keep the panel.');
  }
  return state === 'busy' && overComm ? trans.__('The kernel is busy: this goes on when its cell has ended.') : '';
}

function element<Name extends keyof HTMLElementTagNameMap>(name: Name): HTMLElementTagNameMap[Name] {
  return document.createElement(name);
}

/** JupyterLab takes the line break of Shift+Enter away from every field in a cell, by a listener at the field itself. */
function keepLineBreaks(root: HTMLElement, signal: AbortSignal): void {
  const keep = (event: InputEvent): void => {
    if (event.inputType === 'insertLineBreak') {
      event.stopPropagation();
    }
  };
  root.addEventListener('beforeinput', keep, { capture: true, signal });
}

/** The user's height goes into the widget once the edge has come to rest, and from there into every view. */
function keepHeight(model: Model, root: HTMLElement, signal: AbortSignal): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wear = (): void => {
    root.style.height = `${model.get('height')}px`;
  };
  const tell = (): void => {
    const drawn = Math.round(Number.parseFloat(root.style.height));
    if (drawn >= LOWEST && drawn <= HIGHEST && drawn !== model.get('height')) {
      model.set('height', drawn);
      model.save_changes();
    }
  };
  const watch = new ResizeObserver(() => {
    clearTimeout(timer);
    timer = setTimeout(tell, REST_MS);
  });
  wear();
  watch.observe(root);
  onModel(model, 'change:height', wear, signal);
  signal.addEventListener('abort', () => {
    watch.disconnect();
    clearTimeout(timer);
  });
}
