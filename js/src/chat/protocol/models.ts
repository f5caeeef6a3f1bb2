/** The models there are, and how a test of one went. */

import type { Failure } from './events';
import { failure } from './events';
import { list, number, object, text } from './json';

/** A model that can be chosen; `id` is its full name, `name` what its provider calls it. */
export interface KnownModel {
  readonly id: string;
  readonly provider: string;
  readonly name: string;
  /** 0 where it is not known. */
  readonly context_tokens: number;
}

export interface KnownProvider {
  readonly name: string;
  readonly label: string;
  readonly base_url: string;
  /** Whether it is a server found on this machine. */
  readonly local: boolean;
  readonly failure: Failure | null;
}

/** The models known so far; `default` is null when none can be told. */
export interface Catalogue {
  readonly default: string | null;
  readonly providers: readonly KnownProvider[];
  readonly models: readonly KnownModel[];
}

/** What is to be tested: a model, at an endpoint that need not be saved when there is a `base_url`. */
export interface Tried {
  readonly model?: string;
  readonly base_url?: string;
  readonly api_key?: string;
}

/** How one small real call went; times in seconds. */
export interface Trial {
  readonly model: string;
  readonly seconds: number;
  /** Null when it went well. */
  readonly failure: Failure | null;
  /** The address that works, where the given one does not; else empty. */
  readonly suggestion: string;
  /** The endpoint's models, where one of them must be named. */
  readonly models: readonly string[];
}

/** The answer of `GET models` and `POST models/refresh`. */
export function catalogue(value: unknown): Catalogue {
  const json = object(value);
  return {
    default: text(json['default']) || null,
    providers: list(json['providers']).map(each => {
      const provider = object(each);
      return {
        name: text(provider['name']),
        label: text(provider['label']),
        base_url: text(provider['base_url']),
        local: provider['local'] === true,
        failure: provider['error'] ? failure(provider['error']) : null
      };
    }),
    models: list(json['models']).map(each => {
      const model = object(each);
      return {
        id: text(model['id']),
        provider: text(model['provider']),
        name: text(model['name']),
        context_tokens: number(model['context_tokens'])
      };
    })
  };
}

/** The answer of `POST models/test`. */
export function trial(value: unknown): Trial {
  const json = object(value);
  return {
    model: text(json['model']),
    seconds: number(json['seconds']),
    failure: json['ok'] === true ? null : failure(json['error']),
    suggestion: text(object(json['suggestion'])['base_url']),
    models: list(json['models']).map(text).filter(Boolean)
  };
}
