/**
 * An output cell as the panel's host: it is about its own notebook, and borrows the page's host for what only that can.
 *
 * The law: what is borrowed is only about the panel's own notebook, never about another one that is open beside it,
 * nor about the cell that shows the panel.
 */

import { download } from '../chat/download';
import type { CellPlace, CellUse, Host } from '../chat/host';
import { ENGLISH } from '../chat/host';
import type { NotebookFocus } from '../chat/protocol';
import { object, parse, question } from '../chat/protocol';
import { parts } from '../chat/subject';
import { Keep } from './keep';
import type { Model } from './model';
import { onModel } from './model';

interface Place {
  readonly model: Model;
  /** The panel's element in its cell. */
  readonly el: HTMLElement;
  /** The page's host; null in pages without one. */
  readonly lent: Host | null;
}

export function cellHost({ model, el, lent }: Place): Host {
  const keep = new Keep(`jupyter-assistant:panel:${model.get('panel')}:`);
  const own = new OwnNotebook({ model, el, lent });
  return {
    trans: lent?.trans ?? ENGLISH,
    ...(lent?.cells ? { cells: own.cells(lent.cells) } : {}),
    subject: () => own.subject(),
    onSubject: (listener, signal) => {
      onModel(model, 'change:path', listener, signal);
      lent?.onSubject(listener, signal);
    },
    failingCell: () => (own.isCurrent() ? (lent?.failingCell() ?? 0) : 0),
    notebook: () => own.focus(),
    openCell: (path, cell_id) => {
      if (lent) {
        lent.openCell(path, cell_id);
      } else {
        openPage(path);
      }
    },
    copy: text => lent?.copy(text) ?? navigator.clipboard.writeText(text),
    save: download,
    highlight: (code, language) => lent?.highlight(code, language) ?? Promise.resolve([]),
    ...(lent?.typeset ? { typeset: formula => lent.typeset?.(formula) ?? Promise.resolve() } : {}),
    announce: () => lent?.announce() ?? 'ready',
    get preferences() {
      return lent?.preferences;
    },
    recall: () => model.get('conversation'),
    remember: id => {
      model.set('conversation', id);
      model.save_changes();
    },
    recallQuestion: () => question(parse(keep.get('question'))),
    rememberQuestion: asked => {
      // Without its unsaved cells, which are large, and which a reload takes from the notebook too.
      const { path, cell_id } = asked?.notebook ?? { path: '' };
      const notebook = path ? { notebook: { path, ...(cell_id ? { cell_id } : {}) } } : {};
      keep.put('question', asked ? JSON.stringify({ ...asked, notebook: undefined, ...notebook }) : '');
    },
    recallLeft: () => parts(parse(keep.get('left'))),
    rememberLeft: out => {
      keep.put('left', JSON.stringify(out));
    },
    recallDraft: id => keep.get(`draft:${id}`),
    rememberDraft: (id, text) => {
      keep.put(`draft:${id}`, text);
    }
  };
}

/** The notebook whose output the panel is. */
class OwnNotebook {
  readonly #model: Model;
  readonly #el: HTMLElement;
  readonly #lent: Host | null;

  constructor({ model, el, lent }: Place) {
    this.#model = model;
    this.#el = el;
    this.#lent = lent;
  }

  /** Whether the page's host is looking at it, by its name: this is asked with every move of the text cursor. */
  isCurrent(): boolean {
    return this.#lent?.subject()?.name === this.#name;
  }

  subject(): ReturnType<Host['subject']> {
    const subject = this.isCurrent() ? this.#lent?.subject() : null;
    if (subject) {
      return this.#ownCell ? { ...subject, cell: 0, selected: 0 } : subject;
    }
    return this.#name ? { name: this.#name, cell: 0, selected: 0 } : null;
  }

  focus(): NotebookFocus | null {
    const path = this.#model.get('path');
    const focus = this.isCurrent() ? this.#lent?.notebook() : null;
    if (focus?.path !== path) {
      return path ? { path } : null;
    }
    const { cell_id, selection, ...rest } = focus;
    const about = { ...(cell_id ? { cell_id } : {}), ...(selection ? { selection } : {}) };
    return { ...rest, ...(this.#ownCell ? {} : about) };
  }

  /** The cells of the page's host, while it looks at this notebook. */
  cells(lent: CellPlace): CellPlace {
    return { obstacle: use => this.#obstacle(lent, use), put: (...words) => this.#put(lent, ...words) };
  }

  #obstacle(cells: CellPlace, use: CellUse): string {
    const trans = this.#lent?.trans ?? ENGLISH;
    if (!this.isCurrent()) {
      return trans.__('Another notebook is in front');
    }
    return use === 'replace' && this.#ownCell ? trans.__('The active cell shows this panel') : cells.obstacle(use);
  }

  #put(cells: CellPlace, use: CellUse, code: string, language: string): Promise<string> {
    const obstacle = this.#obstacle(cells, use);
    return obstacle ? Promise.resolve(obstacle) : cells.put(use, code, language);
  }

  get #name(): string {
    return this.#model.get('path').split('/').at(-1) ?? '';
  }

  /** Whether the active cell is the one that shows the panel. */
  get #ownCell(): boolean {
    return this.#el.closest('.jp-Cell')?.classList.contains('jp-mod-active') ?? false;
  }
}

/** Where no host leads to a cell: its notebook, in a page of its own, when a Jupyter server serves this one. */
function openPage(path: string): void {
  const { baseUrl } = object(parse(document.getElementById('jupyter-config-data')?.textContent ?? ''));
  if (typeof baseUrl === 'string') {
    const page = location.pathname.includes('/lab') ? 'lab/tree' : 'notebooks';
    const place = path.split('/').map(encodeURIComponent).join('/');
    window.open(new URL(`${baseUrl.replace(/\/*$/, '')}/${page}/${place}`, location.href), '_blank', 'noopener');
  }
}
