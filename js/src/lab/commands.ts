/**
 * The assistant's commands.
 *
 * The law: a key is bound in the settings and nowhere else. The panel keeps JupyterLab's shortcuts out, so those that
 * must work there too are looked up and passed on here.
 */

import type { ILabShell, JupyterFrontEnd } from '@jupyterlab/application';
import type { ICommandPalette } from '@jupyterlab/apputils';
import { CommandRegistry } from '@lumino/commands';
import type { Trans } from '../chat/host';
import { NOTEBOOK_COMMANDS } from './notebook-commands';
import type { Preferences } from './preferences';
import type { Sidebar } from './sidebar';
import { assistantIcon } from './sidebar';

export const FOCUS = 'jupyter-assistant:focus';

/** Commands whose keys also work while the cursor is in the panel. */
const PASSED_ON = [FOCUS, ...NOTEBOOK_COMMANDS, 'docmanager:save', 'apputils:activate-command-palette'];

interface Wiring {
  readonly app: JupyterFrontEnd;
  readonly sidebar: Sidebar;
  readonly trans: Trans;
  readonly palette: ICommandPalette | null;
  readonly shell: ILabShell | null;
  readonly preferences: Preferences;
}

export function addCommands({ app, sidebar, trans, palette, shell, preferences }: Wiring): void {
  app.commands.addCommand(FOCUS, {
    label: trans.__('Ask the Assistant'),
    caption: trans.__('Open the assistant and write a question, or leave it again'),
    icon: assistantIcon,
    describedBy: { args: { type: 'object', properties: {} } },
    isEnabled: () => preferences.enabled,
    isVisible: () => preferences.enabled,
    execute: () => {
      if (sidebar.focused) {
        leave(app, shell);
      } else {
        app.shell.activateById(sidebar.id);
      }
    }
  });
  palette?.addItem({ command: FOCUS, category: trans.__('Assistant') });
  sidebar.node.addEventListener('keydown', event => {
    passOn(app.commands, event);
  });
}

/** Back to where the user came from; JupyterLab closes the sidebar, Notebook leaves it open. */
function leave(app: JupyterFrontEnd, shell: ILabShell | null): void {
  const id = app.shell.currentWidget?.id;
  shell?.collapseRight();
  if (id) {
    app.shell.activateById(id);
  }
}

function passOn(commands: CommandRegistry, event: KeyboardEvent): void {
  const keys = CommandRegistry.keystrokeForKeydownEvent(event);
  const binding = commands.keyBindings.find(
    ({ command, keys: bound }) => PASSED_ON.includes(command) && bound.length === 1 && bound[0] === keys
  );
  if (binding && !event.defaultPrevented && commands.isEnabled(binding.command, binding.args)) {
    event.preventDefault();
    void commands.execute(binding.command, binding.args);
  }
}
