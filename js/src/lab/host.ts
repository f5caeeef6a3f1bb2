/** JupyterLab as the panel's host. */

import { Clipboard } from '@jupyterlab/apputils';
import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { CommandRegistry } from '@lumino/commands';
import type { Host, Piece, Trans } from '../chat/host';
import type { Question } from '../chat/protocol';
import { parse, question } from '../chat/protocol';
import type { Notebooks } from './notebook';

export interface Lab {
  readonly commands: CommandRegistry;
  readonly notebooks: Notebooks;
  readonly languages: IEditorLanguageRegistry | null;
  readonly trans: Trans;
  /** Told apart from other servers on the same origin. */
  readonly baseUrl: string;
}

export function labHost({ commands, notebooks, languages, trans, baseUrl }: Lab): Host {
  const place = `jupyter-assistant:${baseUrl}:conversation`;
  const sent = `jupyter-assistant:${baseUrl}:question`;
  return {
    trans,
    subject: () => notebooks.subject(),
    onSubject: (listener, signal) => {
      notebooks.onSubject(listener, signal);
    },
    failingCell: () => notebooks.failingCell(),
    notebook: () => notebooks.focus(),
    openCell: (path, cell_id) => {
      void commands.execute('docmanager:open', { path }).then(() => notebooks.reveal(path, cell_id));
    },
    copy,
    highlight: (code, language) => highlight(languages, code, language),
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
