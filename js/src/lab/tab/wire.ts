/**
 * What crosses the `tab` WebSocket, and the one place where the server's JSON becomes typed values; pure.
 *
 * The law: nothing past this file is of unknown shape, and a request that cannot be met is refused with a sentence.
 */

import { object, parse } from '../../chat/protocol';

export type Json = Readonly<Record<string, unknown>>;

export interface Request {
  readonly type: 'request';
  readonly id: number;
  readonly method: string;
  readonly params: Json;
  /** Milliseconds of the server's clock when it was sent; null where it does not say. */
  readonly now: number | null;
  /** Taken up later than this many milliseconds after it was sent, it is not wanted any more. */
  readonly within_ms: number | null;
}

export type Incoming =
  | Request
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'ping'; readonly id: number; readonly now: number | null };

export interface Listed {
  readonly document: string;
  readonly path: string;
  /** Whether the user would miss something if the notebook were loaded anew. */
  readonly dirty: boolean;
  readonly read_only: boolean;
  readonly collaborative: boolean;
  readonly views: number;
  readonly current: boolean;
  readonly kernel_id: string | null;
}

export type CellState = 'waiting' | 'running' | 'done' | 'error' | 'not run';

export interface Progress {
  readonly cell_id: string;
  readonly state: CellState;
  readonly execution_count: number | null;
  readonly outputs: readonly unknown[];
  /** Characters of the outputs that were left out. */
  readonly left_out: number;
}

export type CellKind = 'code' | 'markdown' | 'raw';

export interface NewCell {
  readonly cell_type: CellKind;
  readonly source: string;
}

/** What a run gave a code cell: all of its nbformat outputs, and its number. */
export interface Execution {
  readonly outputs: readonly Json[];
  readonly execution_count: number | null;
}

interface Place {
  readonly after: string | null;
  readonly before: string | null;
}

export type Edit =
  | (Place & { readonly edit: 'insert'; readonly cells: readonly NewCell[] })
  | (Place & { readonly edit: 'move'; readonly cell_id: string })
  | {
      readonly edit: 'replace';
      readonly cell_id: string;
      readonly source: string;
      readonly cell_type: CellKind | null;
    }
  | { readonly edit: 'delete'; readonly cell_ids: readonly string[] }
  | { readonly edit: 'clear_outputs'; readonly cell_ids: readonly string[] | null }
  | ({ readonly edit: 'set_outputs'; readonly cell_id: string } & Execution);

export type Code =
  'unknown_document' | 'stale' | 'cell_not_found' | 'refused' | 'kernel_unable' | 'cancelled' | 'internal';

/** Why a request is not met: `hint` says what to do next; `fields` are what the code brings besides. */
export class Refusal extends Error {
  constructor(
    readonly code: Code,
    message: string,
    readonly hint = '',
    readonly fields: Json = {}
  ) {
    super(message);
  }

  get wire(): Json {
    return { ...this.fields, code: this.code, text: this.message, hint: this.hint };
  }
}

// ---------------------------------------------------------------- frames

/** A frame of the server's; null for one that is not known here. */
export function incoming(data: unknown): Incoming | null {
  const frame = object(typeof data === 'string' ? parse(data) : null);
  const { type, id } = frame;
  if (typeof id !== 'number') {
    return null;
  }
  switch (type) {
    case 'cancel':
      return { type, id };
    case 'ping':
      return { type, id, now: number(frame['now']) };
    case 'request':
      return {
        type,
        id,
        method: text(frame['method']),
        params: object(frame['params']),
        now: number(frame['now']),
        within_ms: number(frame['within_ms'])
      };
    default:
      return null;
  }
}

// ---------------------------------------------------------------- parameters

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function texts(value: unknown): readonly string[] {
  return list(value).filter(each => typeof each === 'string');
}

/** Cell ids with the source each must have. */
export function sources(value: unknown): ReadonlyMap<string, string> {
  return new Map(Object.entries(object(value)).map(([id, source]) => [id, text(source)]));
}

/** Raises a `Refusal` for what is no edit. */
export function edits(value: unknown): readonly Edit[] {
  return list(value).map(each => edit(object(each)));
}

function edit(json: Json): Edit {
  const kind = json['edit'];
  const cell_id = text(json['cell_id']);
  switch (kind) {
    case 'insert':
      return { edit: kind, ...place(json), cells: list(json['cells']).map(each => newCell(object(each))) };
    case 'move':
      return { edit: kind, ...place(json), cell_id };
    case 'replace': {
      const cell_type = json['cell_type'] === undefined ? null : json['cell_type'];
      return { edit: kind, cell_id, source: text(json['source']), cell_type: cell_type && kindOf(cell_type) };
    }
    case 'delete':
      return { edit: kind, cell_ids: texts(json['cell_ids']) };
    case 'clear_outputs':
      return { edit: kind, cell_ids: Array.isArray(json['cell_ids']) ? texts(json['cell_ids']) : null };
    case 'set_outputs': {
      const { outputs, execution_count } = json;
      if (!Array.isArray(outputs)) {
        throw new Refusal('refused', 'Outputs are a list.');
      }
      return { edit: kind, cell_id, outputs: outputs.map(object), execution_count: number(execution_count) };
    }
    default:
      throw new Refusal('refused', `An open notebook knows no edit ${JSON.stringify(kind)}.`);
  }
}

function place(json: Json): Place {
  return { after: text(json['after']) || null, before: text(json['before']) || null };
}

function newCell(json: Json): NewCell {
  return { cell_type: kindOf(json['cell_type']), source: text(json['source']) };
}

function kindOf(value: unknown): CellKind {
  if (value === 'code' || value === 'markdown' || value === 'raw') {
    return value;
  }
  throw new Refusal('refused', `There is no cell type ${JSON.stringify(value)}.`, 'Use code, markdown or raw.');
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
