/**
 * Edits of an open notebook, made in its shared model as if the user had made them.
 *
 * The law: all or none, in one synchronous step that the user can take back: the text of one cell with Ctrl+Z in that
 * cell, everything else with one Z in the notebook (JupyterLab keeps both histories apart). Nobody's cursor moves.
 */

import type { ICellModel } from '@jupyterlab/cells';
import type { INotebookModel, Notebook } from '@jupyterlab/notebook';
import { asOneStep } from '../cells';
import { isCode } from '../changes';
import { splices } from './difference';
import type { Identified, Line, Plan, Step } from './draft';
import { planned } from './draft';
import { show } from './outputs';
import { seated } from './seat';
import type { Edit, Execution } from './wire';
import { Refusal } from './wire';

type Shared = INotebookModel['sharedModel'];
type SharedCell = Shared['cells'][number];
/** What cells get instead of their outputs, by id; null: none. */
type Executions = Map<string, Execution | null>;
type Going = Extract<Step, { readonly step: 'move' | 'retype' | 'delete' }>;

/** Makes all edits in the notebook that `views` show; raises a `Refusal`, then nothing is done. */
export function apply(
  model: INotebookModel,
  views: readonly Notebook[],
  edits: readonly Edit[],
  expected: ReadonlyMap<string, string>
): Plan {
  if (model.readOnly) {
    throw new Refusal('refused', 'The notebook is read-only.', 'Save it under another name first, or ask the user.');
  }
  const cells = Array.from(model.cells);
  const plan = planned(cells.map(lineOf), edits, expected, randomId);
  const going = goingOf(plan, cells);
  const make = (): void => {
    carryOut(model, plan.steps);
  };
  views.reduce<() => void>(
    (inner, content) => () => {
      seated(content, going, inner);
    },
    make
  )();
  return plan;
}

function lineOf(cell: ICellModel): Line {
  return {
    id: cell.id,
    cell_type: cell.type,
    source: cell.sharedModel.getSource(),
    editable: cell.getMetadata('editable') !== false,
    deletable: cell.getMetadata('deletable') !== false,
    busy: isCode(cell) && cell.executionState === 'running'
  };
}

/** The cells that lose their place in the model, and come back as others where they are not deleted. */
function goingOf(plan: Plan, cells: readonly ICellModel[]): ReadonlySet<string> {
  const ids = cells.map(cell => cell.id);
  const going = new Set<string>();
  for (const step of plan.steps) {
    if (step.step === 'insert') {
      ids.splice(step.index, 0, ...step.cells.map(({ id }) => id));
      continue;
    }
    const id = ids[step.index] ?? '';
    if (step.step === 'move' || step.step === 'delete') {
      ids.splice(step.index, 1);
      ids.splice(step.step === 'move' ? step.to : Infinity, 0, ...(step.step === 'move' ? [id] : []));
    }
    if (step.step === 'move' || step.step === 'retype' || step.step === 'delete') {
      going.add(id);
    }
  }
  return going;
}

function carryOut(model: INotebookModel, steps: readonly Step[]): void {
  const { sharedModel } = model;
  const [first, ...others] = steps;
  const live = [...sharedModel.cells];
  if (first?.step === 'write' && others.length === 0) {
    const cell = live[first.index];
    asOneStep(cell, () => {
      write(cell, first.source);
    });
    return;
  }
  const executions: Executions = new Map();
  if (steps.every(outputsOnly)) {
    steps.forEach(step => {
      make(model, live, step, executions); // nothing to take back, and no step of the user's ends here
    });
  } else {
    makeAsOneStep(model, live, steps, executions);
  }
  execute(model, executions);
}

function outputsOnly({ step }: Step): boolean {
  return step === 'clear' || step === 'give';
}

function makeAsOneStep(
  model: INotebookModel,
  live: SharedCell[],
  steps: readonly Step[],
  executions: Executions
): void {
  const { sharedModel } = model;
  asOneStep(sharedModel, () => {
    sharedModel.transact(() => {
      steps.forEach(step => {
        make(model, live, step, executions);
      });
      if (live.length === 0) {
        insert(sharedModel, live, 0, [{ id: randomId(), cell_type: 'code', source: '' }]); // as JupyterLab has it
      }
    });
  });
}

/** `live` are the cells as they are by now: the model learns of it only at the end of the transaction. */
function make(model: INotebookModel, live: SharedCell[], step: Step, executions: Executions): void {
  const { sharedModel } = model;
  const cell = step.step === 'insert' ? undefined : live[step.index];
  if (step.step === 'insert') {
    insert(sharedModel, live, step.index, step.cells);
  } else if (!cell) {
    throw new Refusal('internal', 'The notebook has fewer cells than it had.');
  } else if (step.step === 'write') {
    write(cell, step.source);
  } else if (step.step === 'clear') {
    executions.set(cell.getId(), null);
  } else if (step.step === 'give') {
    executions.set(cell.getId(), step.execution);
  } else {
    take(model, live, step, cell);
  }
}

function take(model: INotebookModel, live: SharedCell[], step: Going, cell: SharedCell): void {
  const { sharedModel } = model;
  const [id, json] = [cell.getId(), cell.toJSON()]; // once it is taken out it has nothing more
  sharedModel.deleteCell(step.index);
  live.splice(step.index, 1);
  if (step.step === 'move') {
    putBack(sharedModel, live, step.to, json);
  } else if (step.step === 'retype') {
    putBack(sharedModel, live, step.index, retyped(json, step.cell_type, step.source));
  } else {
    model.deletedCells.push(id);
  }
}

type SharedJson = Parameters<Shared['insertCell']>[1];

function insert(shared: Shared, live: SharedCell[], index: number, cells: readonly Identified[]): void {
  // Without outputs there is nothing to distrust; an untrusted cell would hide the outputs of the whole notebook.
  const made = cells.map(cell => ({ ...cell, metadata: cell.cell_type === 'code' ? { trusted: true } : {} }));
  live.splice(index, 0, ...shared.insertCells(index, made));
}

function putBack(shared: Shared, live: SharedCell[], index: number, json: SharedJson): void {
  live.splice(index, 0, shared.insertCell(index, json));
}

function retyped(json: SharedJson, cell_type: string, source: string): SharedJson {
  const { id, metadata, attachments } = json as Readonly<Record<string, unknown>>;
  const code = cell_type === 'code';
  // As JupyterLab has it: what is made code has no outputs to distrust, anything else is never asked.
  const trust = { trusted: code || undefined };
  return {
    id,
    cell_type,
    source,
    metadata: { ...(metadata as object), ...trust },
    ...(attachments && !code ? { attachments } : {})
  } as SharedJson;
}

/** Only what differs, from the end, so that the places before it hold. */
function write(cell: SharedCell | undefined, source: string): void {
  const changes = splices(cell?.getSource() ?? '', source);
  cell?.transact(() => {
    changes.toReversed().forEach(({ start, end, text }) => {
      cell.updateSource(start, end, text);
    });
  });
}

/** As JupyterLab's own commands: it cannot be undone. */
function execute(model: INotebookModel, executions: Executions): void {
  for (const cell of model.cells) {
    const execution = executions.get(cell.id);
    if (!isCode(cell) || execution === undefined) {
      continue;
    }
    if (execution) {
      show(cell, execution);
    } else {
      cell.sharedModel.transact(() => {
        cell.clearExecution();
      }, false);
    }
  }
}

function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(4)), byte => byte.toString(16).padStart(2, '0')).join('');
}
