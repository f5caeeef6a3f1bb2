/**
 * Whatever changes in a cell: its text, its metadata, its outputs.
 *
 * The law: nothing is missed. A line that is printed behind others reaches the shared model without a signal of
 * JupyterLab's, so the shared map itself is watched.
 */

import type { ICellModel } from '@jupyterlab/cells';

interface SharedEvent {
  readonly path: readonly (string | number)[];
}

type Listener = (events: readonly SharedEvent[]) => void;

/** What the shared models of JupyterLab 4 are made of, as far as it is needed here. */
interface Observed {
  readonly ymodel?: {
    observeDeep(listener: Listener): void;
    unobserveDeep(listener: Listener): void;
  };
}

/** Calls back after each change until what is returned is called. */
export function watch(cell: ICellModel, onChange: () => void): () => void {
  const { ymodel } = cell.sharedModel as Observed;
  const listener = (): void => {
    onChange();
  };
  cell.contentChanged.connect(listener);
  ymodel?.observeDeep(listener);
  return () => {
    cell.contentChanged.disconnect(listener);
    ymodel?.unobserveDeep(listener);
  };
}

/** Calls back after each change of what a cell has put out, as long as the cell is there. */
export function watchOutputs(cell: ICellModel, onChange: () => void): void {
  const { ymodel } = cell.sharedModel as Observed;
  ymodel?.observeDeep(events => {
    if (events.some(({ path }) => path[0] === 'outputs')) {
      onChange();
    }
  });
}
