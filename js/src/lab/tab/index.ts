/**
 * This window as the home of its open notebooks: the server reads, edits and runs them here.
 *
 * The law (DESIGN §2, law 2): while a notebook is open here, everything that is done to it is done in front of the
 * user, through the same shared model, session and saves as what he does himself.
 */

import type { INotebookTracker } from '@jupyterlab/notebook';
import type { Contents, ServerConnection } from '@jupyterlab/services';
import { URLExt } from '@jupyterlab/coreutils';
import type { Changes, Context } from '../changes';
import type { OpenNotebook } from './documents';
import { Documents } from './documents';
import { apply } from './editing';
import type { Progressing } from './line';
import { Line } from './line';
import { release, run } from './running';
import type { Edit, Request } from './wire';
import { edits, number, Refusal, sources, text, texts } from './wire';

export interface Surroundings {
  readonly tracker: INotebookTracker;
  readonly contents: Contents.IManager;
  readonly settings: ServerConnection.ISettings;
  readonly changes: (context: Context) => Changes;
}

export class TabHome {
  readonly #documents: Documents;
  readonly #line: Line;
  readonly #gone = new AbortController();

  constructor({ tracker, contents, settings, changes }: Surroundings) {
    const window = randomName();
    const onChange = (): void => {
      line?.tell();
    };
    let line: Line | undefined;
    this.#documents = new Documents({ tracker, contents, changes, window, onChange });
    this.#line = line = new Line({
      open: () => new settings.WebSocket(address(settings)),
      window,
      documents: () => this.#documents.list(),
      answer: (request, progressing) => this.#answer(request, progressing)
    });
    const { signal } = this.#gone;
    globalThis.addEventListener(
      'focus',
      () => {
        this.#line.tell(true);
      },
      { signal }
    );
    globalThis.addEventListener(
      'pagehide',
      () => {
        this.#line.close();
      },
      { signal }
    );
  }

  /** Whether the server knows that a notebook is open here. */
  serves(context: Context): boolean {
    return this.#line.isOpen && this.#documents.has(context);
  }

  dispose(): void {
    this.#gone.abort();
    this.#line.dispose();
    this.#documents.dispose();
  }

  async #answer({ method, params }: Request, progressing: Progressing): Promise<object> {
    const id = text(params['document']);
    await this.#documents.find(id).saving.caughtUp();
    const notebook = this.#documents.find(id);
    switch (method) {
      case 'read':
        return notebook.reading.read(text(params['known']), () => notebook.dirty);
      case 'outputs':
        return { outputs: notebook.reading.outputs(texts(params['cell_ids'])) };
      case 'apply':
        return this.#apply(notebook, edits(params['edits']), sources(params['expected']), progressing.signal);
      case 'run':
        return this.#run(notebook, texts(params['cell_ids']), progressing);
      case 'save':
        return saved(notebook);
      case 'revert':
        return reverted(notebook);
      case 'restarted':
        return released(notebook, Date.now() - (number(params['ago_ms']) ?? 0));
      default:
        throw new Refusal('internal', `This version of JupyterLab's assistant knows no method ${method}.`);
    }
  }

  async #apply(
    notebook: OpenNotebook,
    wanted: readonly Edit[],
    expected: ReadonlyMap<string, string>,
    signal: AbortSignal
  ): Promise<object> {
    if (wanted.every(({ edit }) => edit === 'set_outputs')) {
      await caughtUp(notebook);
    }
    await notebook.saving.idle();
    this.#still(notebook, signal);
    const clean = !notebook.dirty && !notebook.readOnly;
    const views = [...notebook.views].map(panel => panel.content);
    const { inserted, cells } = apply(notebook.context.model, views, wanted, expected);
    const { revision } = notebook.reading;
    return { revision, inserted, cells, ...(await settled(notebook, clean)) };
  }

  async #run(notebook: OpenNotebook, ids: readonly string[], { progress, signal }: Progressing): Promise<object> {
    const clean = !notebook.dirty && !notebook.readOnly;
    const cells = await run(this.#documents.view(notebook), ids, progress, signal);
    this.#documents.find(notebook.id); // closed meanwhile: nothing more is known of it
    return { cells, ...(await settled(notebook, clean)) };
  }

  /** Raises a `Refusal` where the server or the user has thought better of it. */
  #still(notebook: OpenNotebook, signal: AbortSignal): void {
    if (signal.aborted) {
      throw new Refusal('cancelled', 'It was cancelled before anything was done.');
    }
    this.#documents.find(notebook.id);
  }
}

/** What was clean is saved again; what was not stays as it is, for its user to save. */
async function settled(notebook: OpenNotebook, clean: boolean): Promise<object> {
  const { model } = notebook.context;
  const problem = clean && model.dirty && !model.collaborative ? await notebook.saving.save() : '';
  return { dirty: notebook.dirty, saved: clean && !problem, ...(problem ? { save_error: problem } : {}) };
}

/** A run that began before the notebook was open here may have written to its file since that was loaded. */
async function caughtUp(notebook: OpenNotebook): Promise<void> {
  if (!notebook.dirty && !notebook.readOnly && !notebook.context.model.collaborative) {
    await notebook.saving.revert(() => !notebook.dirty).catch(() => undefined); // the save tells what is wrong
  }
}

async function saved(notebook: OpenNotebook): Promise<object> {
  const problem = await notebook.saving.save();
  if (problem) {
    throw new Refusal('refused', problem, 'Ask the user to save the notebook in JupyterLab.');
  }
  return { dirty: notebook.dirty };
}

/** Takes what the file holds, where the user loses nothing by it. */
async function reverted(notebook: OpenNotebook): Promise<object> {
  await notebook.saving.revert(() => !notebook.dirty);
  if (notebook.dirty) {
    throw new Refusal('refused', 'The notebook has changes that are not saved.', 'Ask the user to save it.');
  }
  return { dirty: false };
}

/** The kernel was restarted from elsewhere, which JupyterLab is not told. */
function released(notebook: OpenNotebook, before: number): object {
  notebook.views.forEach(panel => {
    release(panel, before);
  });
  return {};
}

function address({ wsUrl, token, appendToken }: ServerConnection.ISettings): string {
  const url = URLExt.join(wsUrl, 'assistant', 'tab');
  return appendToken && token ? `${url}?token=${encodeURIComponent(token)}` : url;
}

function randomName(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(6)), byte => byte.toString(16).padStart(2, '0')).join('');
}
