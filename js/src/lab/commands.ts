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
const PREVIOUS = 'jupyter-assistant:previous-message';
const NEXT = 'jupyter-assistant:next-message';

/** Commands whose keys also work while the cursor is in the panel. */
const PASSED_ON = [FOCUS, PREVIOUS, NEXT, ...NOTEBOOK_COMMANDS, 'docmanager:save', 'apputils:activate-command-palette'];

interface Wiring {
  readonly app: JupyterFrontEnd;
  readonly sidebar: Sidebar;
  readonly trans: Trans;
  readonly palette: ICommandPalette | null;
  readonly shell: ILabShell | null;
  readonly preferences: Preferences;
}

export function addCommands(wiring: Wiring): void {
  const { app, sidebar, trans, palette } = wiring;
  addFocus(wiring);
  addStep(wiring, PREVIOUS, -1, trans.__('Go to the Message Above'));
  addStep(wiring, NEXT, 1, trans.__('Go to the Message Below'));
  for (const command of [FOCUS, PREVIOUS, NEXT]) {
    palette?.addItem({ command, category: trans.__('Assistant') });
  }
  sidebar.node.addEventListener('keydown', event => {
    passOn(app.commands, event);
  });
}

function addFocus({ app, sidebar, trans, shell, preferences }: Wiring): void {
  app.commands.addCommand(FOCUS, {
    label: trans.__('Ask the Assistant'),
    caption: trans.__('Open the assistant and write a question, or leave it again'),
    icon: assistantIcon,
    describedBy: { args: { type: 'object', properties: {} } },
    isEnabled: () => preferences.enabled,
    isVisible: () => preferences.enabled,
    execute: () => {
      if (sidebar.focused) {
        leave(app, shell, sidebar);
      } else {
        app.shell.activateById(sidebar.id);
      }
    }
  });
}

function addStep({ app, sidebar, preferences }: Wiring, id: string, by: -1 | 1, label: string): void {
  app.commands.addCommand(id, {
    label,
    describedBy: { args: { type: 'object', properties: {} } },
    isEnabled: () => preferences.enabled && sidebar.isVisible,
    isVisible: () => preferences.enabled,
    execute: () => {
      sidebar.step(by);
    }
  });
}

/** Back to where the user came from; JupyterLab closes the sidebar, Notebook leaves it open. */
function leave(app: JupyterFrontEnd, shell: ILabShell | null, sidebar: Sidebar): void {
  const id = app.shell.currentWidget?.id;
  if (shell && Array.from(shell.widgets('left')).includes(sidebar)) {
    shell.collapseLeft();
  } else {
    shell?.collapseRight();
  }
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
