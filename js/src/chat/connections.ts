/**
 * What a user can want of models: to see them, choose one, test an endpoint, keep it; and how other programs connect.
 *
 * The law: nothing is asked of any network but by a user's act, and a key only passes through: it is in no state and
 * in no error.
 */

import type { Dialog } from './conversation';
import { expected, failureOf } from './faults';
import type { Host } from './host';
import type { Changes, Failure, McpClients, Trial, Tried } from './protocol';
import type { Store } from './store';
import type { Transport } from './transport';

export interface Reach {
  readonly store: Store;
  readonly transport: Transport;
  readonly host: Host;
}

export class Connections {
  readonly #store: Store;
  readonly #transport: Transport;
  readonly #host: Host;
  readonly #signal: AbortSignal;

  /** Everything ends with `signal`. */
  constructor({ store, transport, host }: Reach, signal: AbortSignal) {
    this.#store = store;
    this.#transport = transport;
    this.#host = host;
    this.#signal = signal;
  }

  /** Learns what the server knows of models, and its settings; asks no endpoint. What went wrong, or null. */
  learn(): Promise<Failure | null> {
    return this.#done(async () => {
      const [catalogue, settings] = await Promise.all([
        this.#transport.models(this.#signal),
        this.#transport.settings(this.#signal)
      ]);
      this.#store.dispatch({ do: 'settings', settings });
      this.#store.dispatch({ do: 'catalogue', catalogue });
    });
  }

  /** Asks the endpoints for their models and looks for servers on this machine. What went wrong, or null. */
  look(): Promise<Failure | null> {
    return this.#done(async () => {
      this.#store.dispatch({ do: 'catalogue', catalogue: await this.#transport.lookForModels(this.#signal) });
    });
  }

  /** Makes a model the default one. What went wrong, or null. */
  choose(model: string): Promise<Failure | null> {
    return this.save({ model });
  }

  /** One small real call; says how it went in any case. */
  async test(tried: Tried): Promise<Trial> {
    let trial: Trial = { model: '', seconds: 0, failure: null, suggestion: '', models: [] };
    const failure = await this.#done(async () => {
      trial = await this.#transport.tryModel(tried, this.#signal);
    });
    return failure ? { ...trial, failure } : trial;
  }

  /** Keeps all the changes or none; the models are known anew afterwards. What went wrong, or null. */
  save(changes: Changes): Promise<Failure | null> {
    return this.#done(async () => {
      this.#store.dispatch({ do: 'settings', settings: await this.#transport.configure(changes, this.#signal) });
      this.#store.dispatch({ do: 'catalogue', catalogue: await this.#transport.models(this.#signal) });
    });
  }

  /** How MCP clients find this server; or what went wrong. */
  async clients(): Promise<McpClients | Failure> {
    let found: McpClients = { tools: 'execute', clients: [] };
    const failure = await this.#done(async () => {
      found = await this.#transport.mcpClients(this.#signal);
    });
    return failure ?? found;
  }

  show(dialog: Dialog): void {
    this.#store.dispatch({ do: 'dialog', dialog });
  }

  async #done(act: () => Promise<void>): Promise<Failure | null> {
    try {
      await act();
      return null;
    } catch (error) {
      expected(error, this.#signal);
      return failureOf(error, this.#host);
    }
  }
}
