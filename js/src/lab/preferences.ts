/**
 * What a user sets in JupyterLab's own settings: whether the assistant is there at all, and how answers are announced.
 *
 * The law: without a registry, or while it is silent, everything is at its default; a change needs no reload.
 */

import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import type { Announce } from '../chat/host';

const ANNOUNCE: readonly string[] = ['ready', 'full', 'sentences'] satisfies Announce[];

/** The values by name, of whatever types the registry gives. */
type Composite = Readonly<Record<string, unknown>>;

export function announceOf(values: Composite): Announce {
  const announce = values['announce'];
  return typeof announce === 'string' && ANNOUNCE.includes(announce) ? (announce as Announce) : 'ready';
}

export class Preferences {
  #values: Composite = {};
  readonly #listeners: (() => void)[] = [];

  constructor(registry: ISettingRegistry | null, id: string) {
    registry?.load(id).then(
      settings => {
        const take = (): void => {
          this.#values = settings.composite;
          this.#listeners.forEach(listener => {
            listener();
          });
        };
        settings.changed.connect(take);
        take();
      },
      (error: unknown) => {
        console.warn('jupyter-assistant: no settings', error);
      }
    );
  }

  get enabled(): boolean {
    return this.#values['enabled'] !== false;
  }

  get announce(): Announce {
    return announceOf(this.#values);
  }

  /** Calls back after each change, also the first one: when the values are known. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }
}
