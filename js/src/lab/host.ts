/** JupyterLab as the panel's host. */

import { Clipboard } from '@jupyterlab/apputils';
import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { ILatexTypesetter } from '@jupyterlab/rendermime';
import type { CommandRegistry } from '@lumino/commands';
import { download } from '../chat/download';
import type { CellPlace, Host, Piece, Trans } from '../chat/host';
import type { Question } from '../chat/protocol';
import { parse, question } from '../chat/protocol';
import { parts } from '../chat/subject';
import type { Notebooks } from './notebook';
import { Opening } from './opening';
import type { Preferences } from './preferences';

/** JupyterLab's settings editor. */
const SETTINGS = 'settingeditor:open';

export interface Lab {
  readonly commands: CommandRegistry;
  readonly notebooks: Notebooks;
  readonly cells: CellPlace;
  readonly languages: IEditorLanguageRegistry | null;
  readonly typesetter: ILatexTypesetter | null;
  readonly preferences: Preferences;
  readonly trans: Trans;
  /** Told apart from other servers on the same origin. */
  readonly baseUrl: string;
  /** Brings a widget of this window to the front. */
  readonly show: (id: string) => void;
}

export function labHost(lab: Lab): Host {
  const { commands, notebooks, cells, languages, typesetter, preferences, trans, baseUrl, show } = lab;
  const opening = new Opening({ commands, notebooks, baseUrl, show });
  const place = `jupyter-assistant:${baseUrl}:conversation`;
  const sent = `jupyter-assistant:${baseUrl}:question`;
  const left = `jupyter-assistant:${baseUrl}:left`;
  const draft = (id: string): string => `jupyter-assistant:${baseUrl}:draft:${id}`;
  return {
    trans,
    cells,
    subject: () => notebooks.subject(),
    onSubject: (listener, signal) => {
      notebooks.onSubject(listener, signal);
    },
    failingCell: () => notebooks.failingCell(),
    notebook: () => notebooks.focus(),
    openCell: (path, cell_id) => {
      void opening.open(path, cell_id);
    },
    copy,
    save: download,
    highlight: (code, language) => highlight(languages, code, language),
    ...(typesetter ? { typeset: el => Promise.resolve(typesetter.typeset(el)) } : {}),
    announce: () => preferences.announce,
    get preferences() {
      return commands.hasCommand(SETTINGS)
        ? () => void commands.execute(SETTINGS, { query: trans.__('Assistant') })
        : undefined;
    },
    recall: () => localStorage.getItem(place) ?? '',
    remember: id => {
      if (id) {
        localStorage.setItem(place, id);
      } else {
        localStorage.removeItem(place);
      }
    },
    recallQuestion: () => question(parse(sessionStorage.getItem(sent) ?? '')),
    rememberQuestion: asked => {
      if (asked) {
        sessionStorage.setItem(sent, JSON.stringify(saved(asked)));
      } else {
        sessionStorage.removeItem(sent);
      }
    },
    recallLeft: () => parts(parse(sessionStorage.getItem(left) ?? '')),
    rememberLeft: out => {
      sessionStorage.setItem(left, JSON.stringify(out));
    },
    recallDraft: id => sessionStorage.getItem(draft(id)) ?? '',
    rememberDraft: (id, text) => {
      if (text) {
        sessionStorage.setItem(draft(id), text);
      } else {
        sessionStorage.removeItem(draft(id));
      }
    }
  };
}

/** A question without its unsaved cells, which are large, and which a reload takes from the notebook too. */
function saved({ question, request_id, notebook }: Question): Question {
  const { path = '', cell_id = '' } = notebook ?? {};
  return { question, request_id, ...(path ? { notebook: { path, ...(cell_id ? { cell_id } : {}) } } : {}) };
}

/** `navigator.clipboard` exists only in a secure context, which a server in the local network is not. */
async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    Clipboard.copyToSystem(text);
  }
}

async function highlight(languages: IEditorLanguageRegistry | null, code: string, name: string): Promise<Piece[]> {
  const language = languages?.findBest(name, false);
  if (!languages || !language) {
    return [];
  }
  const box = document.createElement('div');
  await languages.highlight(code, language, box);
  return Array.from(box.childNodes, child => ({
    text: child.textContent ?? '',
    className: child instanceof HTMLElement ? child.className : ''
  }));
}
