/** The JupyterLab plugin: a sidebar, its command, and the notebooks it looks at. Light, as every page start runs it. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILabShell, ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { Mounted } from '../chat/mount';
import { Asking } from './asking';
import { ActiveCell } from './cells';
import { addCommands } from './commands';
import { addErrorButtons } from './errors';
import { labHost } from './host';
import { Notebooks } from './notebook';
import { addNotebookCommands } from './notebook-commands';
import { Sidebar } from './sidebar';

const NAME = 'jupyter-assistant';

const plugin: JupyterFrontEndPlugin<void> = {
  id: `${NAME}:plugin`,
  description: 'An assistant in the sidebar that knows the open notebook.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ICommandPalette, ILayoutRestorer, ITranslator, IEditorLanguageRegistry, ILabShell, IRenderMimeRegistry],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    translator: ITranslator | null,
    languages: IEditorLanguageRegistry | null,
    shell: ILabShell | null,
    renderers: IRenderMimeRegistry | null
  ) => {
    const trans = (translator ?? nullTranslator).load('jupyter_assistant');
    const { serverSettings } = app.serviceManager;
    const notebooks = new Notebooks(tracker);
    const cells = new ActiveCell({ app, tracker, trans });
    const host = labHost({
      commands: app.commands,
      notebooks,
      cells,
      languages,
      trans,
      baseUrl: serverSettings.baseUrl
    });
    const load = async (): Promise<(el: HTMLElement) => Mounted> => {
      const { mountPanel } = await import('./panel');
      return el => mountPanel(el, serverSettings, host);
    };
    const failure = trans.__('The assistant could not be loaded. Reload the page to try again.');
    const sidebar = new Sidebar(load, trans.__('Assistant'), failure);
    app.shell.add(sidebar, 'right', { rank: 100 });
    restorer?.add(sidebar, NAME);
    const asking = new Asking({ app, tracker, sidebar, trans });
    addCommands({ app, sidebar, trans, palette, shell });
    addNotebookCommands({ app, sidebar, notebooks, asking, host, cells, palette });
    if (renderers) {
      addErrorButtons(renderers, trans, (about, button) => void asking.errorAt(about, button));
    }
  }
};

export default [plugin];
