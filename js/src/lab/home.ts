/**
 * When this window is the home of its notebooks: while one is open in it and the assistant is switched on.
 *
 * The law: until then nothing of it is loaded and no socket is opened.
 */

import type { INotebookTracker } from '@jupyterlab/notebook';
import type { Contents, ServerConnection } from '@jupyterlab/services';
import type { Notebooks } from './notebook';
import type { Preferences } from './preferences';
import type { TabHome } from './tab';

interface Surroundings {
  readonly tracker: INotebookTracker;
  readonly notebooks: Notebooks;
  readonly contents: Contents.IManager;
  readonly settings: ServerConnection.ISettings;
  readonly preferences: Preferences;
}

export function keepHome({ tracker, notebooks, contents, settings, preferences }: Surroundings): void {
  let home: Promise<TabHome> | null = null;
  const begin = async (): Promise<TabHome> => {
    const { TabHome } = await import('./tab');
    const begun = new TabHome({ tracker, contents, settings, changes: context => notebooks.changes(context) });
    notebooks.serve(context => begun.serves(context));
    return begun;
  };
  const look = (): void => {
    if (preferences.enabled && tracker.size > 0) {
      home ??= begin();
    } else if (!preferences.enabled && home) {
      void home.then(ended => {
        ended.dispose();
      });
      home = null;
    }
  };
  preferences.onChange(look);
  tracker.widgetAdded.connect((_, panel) => {
    void panel.context.ready.then(look);
  });
  look();
}
