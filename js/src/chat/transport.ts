/**
 * The seam to the server: what a host can send and hear, whatever carries it.
 *
 * The law: a transport carries and never decides. What to do when a connection ends is `follow`'s business.
 */

import type {
  Catalogue,
  Changes,
  Exported,
  Failure,
  Format,
  Listing,
  McpClients,
  Numbered,
  Preview,
  Question,
  RunEvent,
  Setting,
  StoredConversation,
  StoredMessage,
  Trial,
  Tried
} from './protocol';

export interface Transport {
  /** Asks, and yields the new run's events up to `done`. Throws Refused or Lost; ends quietly on abort. */
  ask(question: Question, signal: AbortSignal): AsyncIterable<Numbered>;
  /** Yields a run's events after number `after`, up to `done`. Throws Refused (404, 410) or Lost. */
  resume(run_id: string, after: number, signal: AbortSignal): AsyncIterable<Numbered>;
  /** The same question without a stream: all events at once, when the answer is complete. */
  answer(question: Question, signal: AbortSignal): Promise<RunEvent[]>;
  /** Cancels a run; its `done` comes through the stream. */
  stop(run_id: string, signal: AbortSignal): Promise<void>;
  /** The exact request a question would make. */
  preview(question: Question, signal: AbortSignal): Promise<Preview>;
  /** The conversations, or the archived ones. */
  conversations(archived: boolean, signal: AbortSignal): Promise<Listing>;
  conversation(id: string, signal: AbortSignal): Promise<StoredConversation>;
  /** Gives a conversation another title, or another place. */
  change(id: string, change: { title: string } | { pinned: boolean }, signal: AbortSignal): Promise<void>;
  /** Deletes a conversation for good. */
  remove(id: string, signal: AbortSignal): Promise<void>;
  exported(id: string, format: Format, signal: AbortSignal): Promise<Exported>;
  /** The models known so far; asks nobody. */
  models(signal: AbortSignal): Promise<Catalogue>;
  /** Asks every endpoint for its models and looks for servers on this machine. */
  lookForModels(signal: AbortSignal): Promise<Catalogue>;
  /** One small real call. */
  tryModel(tried: Tried, signal: AbortSignal): Promise<Trial>;
  /** What the user may change of the server's settings. */
  settings(signal: AbortSignal): Promise<readonly Setting[]>;
  /** Changes settings, all of them or none; gives them as they are then. */
  configure(changes: Changes, signal: AbortSignal): Promise<readonly Setting[]>;
  /** How MCP clients find this server, and what they may do. */
  mcpClients(signal: AbortSignal): Promise<McpClients>;
}

/** The server understood and said no. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly failure: Failure,
    readonly run_id = '',
    readonly snapshot: StoredMessage | null = null
  ) {
    super(failure.text);
  }
}

/** The connection failed, fell silent or ended before `done`. */
export class Lost extends Error {}
