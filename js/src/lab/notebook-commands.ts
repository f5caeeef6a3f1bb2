/**
 * Commands that lead from the notebook to the assistant and from its answers back into the notebook.
 *
 * The law: a command that cannot do anything now is disabled, what is about an error is seen only where one is, and
 * nothing is seen while the assistant is switched off.
 */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICommandPalette } from '@jupyterlab/apputils';
import { Notification } from '@jupyterlab/apputils';
import type { CellPlace, Host } from '../chat/host';
import type { Asking } from './asking';
import type { About } from './errors';
import type { Notebooks } from './notebook';
import type { Preferences } from './preferences';
import type { Sidebar } from './sidebar';
import { assistantIcon } from './sidebar';

const ASK = 'jupyter-assistant:ask-cell';
const FIX = 'jupyter-assistant:fix-error';
const EXPLAIN = 'jupyter-assistant:explain-error';
const INSERT = 'jupyter-assistant:insert-code';
const COPY = 'jupyter-assistant:copy-code';

export const NOTEBOOK_COMMANDS = [ASK, FIX, EXPLAIN, INSERT, COPY] as const;

const SEEN_MS = 2_000;
const NOTHING = { args: { type: 'object', properties: {} } } as const;

interface Wiring {
  readonly app: JupyterFrontEnd;
  readonly sidebar: Sidebar;
  readonly notebooks: Notebooks;
  readonly asking: Asking;
  readonly host: Host;
  readonly cells: CellPlace;
  readonly palette: ICommandPalette | null;
  readonly preferences: Preferences;
}

export function addNotebookCommands(wiring: Wiring): void {
  const category = wiring.host.trans.__('Assistant');
  addAsk(wiring);
  addError(wiring, FIX, 'fix', wiring.host.trans.__('Fix the Error in This Cell'));
  addError(wiring, EXPLAIN, 'explain', wiring.host.trans.__('Explain the Error in This Cell'));
  addInsert(wiring);
  addCopy(wiring);
  for (const command of NOTEBOOK_COMMANDS) {
    wiring.palette?.addItem({ command, category });
  }
}

function addAsk({ app, asking, preferences, host: { trans } }: Wiring): void {
  app.commands.addCommand(ASK, {
    label: trans.__('Ask about This Cell'),
    caption: trans.__('Begin a question about this cell'),
    icon: assistantIcon,
    describedBy: NOTHING,
    isEnabled: () => preferences.enabled && asking.cell > 0,
    isVisible: () => preferences.enabled,
    execute: () => asking.begin()
  });
}

function addError({ app, asking, notebooks, preferences }: Wiring, id: string, about: About, label: string): void {
  const possible = (): boolean => preferences.enabled && notebooks.activeFails();
  app.commands.addCommand(id, {
    label,
    icon: assistantIcon,
    describedBy: NOTHING,
    isEnabled: possible,
    isVisible: possible,
    execute: () => asking.error(about)
  });
}

function addInsert({ app, sidebar, cells, preferences, host: { trans } }: Wiring): void {
  app.commands.addCommand(INSERT, {
    label: trans.__('Insert the Last Code Block of the Answer Below'),
    describedBy: NOTHING,
    isEnabled: () => sidebar.lastCode() !== null && cells.obstacle('insert') === '',
    isVisible: () => preferences.enabled,
    execute: async () => {
      const code = sidebar.lastCode();
      const obstacle = code ? await cells.put('insert', code.text, code.language) : '';
      if (obstacle) {
        Notification.warning(obstacle, { autoClose: SEEN_MS });
      }
    }
  });
}

function addCopy({ app, sidebar, preferences, host }: Wiring): void {
  app.commands.addCommand(COPY, {
    label: host.trans.__('Copy the Last Code Block of the Answer'),
    describedBy: NOTHING,
    isEnabled: () => sidebar.lastCode() !== null,
    isVisible: () => preferences.enabled,
    execute: async () => {
      const code = sidebar.lastCode();
      if (code) {
        await host.copy(code.text);
        Notification.info(host.trans.__('The code block is copied.'), { autoClose: SEEN_MS });
      }
    }
  });
}
