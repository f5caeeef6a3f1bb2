/** The JupyterLab plugin: a sidebar, its command, and the notebooks it looks at. Light, as every page start runs it. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILabShell, ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ILatexTypesetter, IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { Mounted } from '../chat/mount';
import { offer } from '../chat/offer';
import { Asking } from './asking';
import { ActiveCell } from './cells';
import { addCommands } from './commands';
import { addErrorButtons } from './errors';
import { keepHome } from './home';
import { labHost } from './host';
import { Notebooks } from './notebook';
import { addNotebookCommands } from './notebook-commands';
import { Preferences } from './preferences';
import { Sidebar } from './sidebar';

const NAME = 'jupyter-assistant';
const ID = `${NAME}:plugin`;

const plugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: 'An assistant in the sidebar that knows the open notebook.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [
    ICommandPalette,
    ILayoutRestorer,
    ITranslator,
    IEditorLanguageRegistry,
    ILabShell,
    IRenderMimeRegistry,
    ILatexTypesetter,
    ISettingRegistry
  ],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    translator: ITranslator | null,
    languages: IEditorLanguageRegistry | null,
    shell: ILabShell | null,
    renderers: IRenderMimeRegistry | null,
    typesetter: ILatexTypesetter | null,
    registry: ISettingRegistry | null
  ) => {
    const trans = (translator ?? nullTranslator).load('jupyter_assistant');
    const { serverSettings } = app.serviceManager;
    const preferences = new Preferences(registry, ID);
    const notebooks = new Notebooks(tracker);
    const cells = new ActiveCell({ app, tracker, trans });
    const host = labHost({
      commands: app.commands,
      notebooks,
      cells,
      languages,
      typesetter,
      preferences,
      trans,
      baseUrl: serverSettings.baseUrl,
      show: id => {
        app.shell.activateById(id);
      }
    });
    offer(host);
    const load = async (): Promise<(el: HTMLElement) => Mounted> => {
      const { mountPanel } = await import('./panel');
      return el => mountPanel(el, serverSettings, host);
    };
    const failure = trans.__('The assistant could not be loaded. Reload the page to try again.');
    const sidebar = new Sidebar(load, trans.__('Assistant'), failure);
    restorer?.add(sidebar, NAME);
    arrange(app, sidebar, preferences);
    keepHome({ tracker, notebooks, contents: app.serviceManager.contents, settings: serverSettings, preferences });
    const asking = new Asking({ app, tracker, sidebar, trans });
    addCommands({ app, sidebar, trans, palette, shell, preferences });
    addNotebookCommands({ app, sidebar, notebooks, asking, host, cells, palette, preferences });
    if (renderers) {
      addErrorButtons(renderers, trans, (about, button) => void asking.errorAt(about, button));
    }
  }
};

/** The off switch: the assistant comes and goes with its setting, without a reload. */
function arrange(app: JupyterFrontEnd, sidebar: Sidebar, preferences: Preferences): void {
  let placed = false;
  const look = (): void => {
    const { enabled } = preferences;
    document.body.classList.toggle('jp-mod-assistantOff', !enabled);
    if (enabled && !placed) {
      app.shell.add(sidebar, 'right', { rank: 100 });
    } else if (!enabled) {
      sidebar.leave();
    }
    placed = enabled;
    app.commands.notifyCommandChanged();
  };
  preferences.onChange(look);
  look();
  void app.restored.then(look); // until then JupyterLab keeps back what is added
}

export default [plugin];
