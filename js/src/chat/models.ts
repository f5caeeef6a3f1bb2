/** What can be said of models without asking anybody; pure. */

import type { Catalogue, KnownModel, KnownProvider } from './protocol';

export const RESPONDER = 'offline/responder';

/** The endpoints whose address everybody who has their key would type. */
export const PRESETS = [
  { name: 'OpenAI', base_url: 'https://api.openai.com/v1' },
  { name: 'OpenRouter', base_url: 'https://openrouter.ai/api/v1' }
] as const;

/** Models shown at once; some endpoints list hundreds, and typing narrows them. */
const SHOWN = 100;

/** The name of the default language model; empty when there is none. */
export function languageModel(catalogue: Catalogue): string {
  const name = catalogue.default ?? '';
  return name.startsWith('offline/') ? '' : name;
}

/** `none`: there is no endpoint at all; `unchosen`: which of an endpoint's models it shall be, is not said. */
export function connection(catalogue: Catalogue): 'none' | 'unchosen' | 'ready' {
  if (languageModel(catalogue)) {
    return 'ready';
  }
  const configured = catalogue.providers.some(provider => !provider.local);
  if (!configured) {
    return 'none';
  }
  return catalogue.default ? 'ready' : 'unchosen';
}

/** A model's name without its provider's. */
export function shortName(id: string): string {
  return id.slice(id.indexOf('/') + 1);
}

/** A provider's models that match a search. */
export interface Group {
  readonly provider: KnownProvider;
  readonly models: readonly KnownModel[];
}

/** The models in whose provider or name every word of the search occurs, by provider; how many more there are. */
export function matching(catalogue: Catalogue, search: string): { groups: Group[]; more: number } {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  let [room, more] = [SHOWN, 0];
  const groups = catalogue.providers.map(provider => {
    const all = catalogue.models.filter(model => {
      const text = `${provider.label} ${model.id}`.toLowerCase();
      return model.provider === provider.name && words.every(word => text.includes(word));
    });
    const models = provider.name === 'offline' ? all : all.slice(0, room);
    room -= models.length;
    more += all.length - models.length;
    return { provider, models };
  });
  return {
    groups: groups.filter(({ provider, models }) => models.length || (!words.length && provider.failure)),
    more
  };
}

/** The typed name, where it could be that of a model no list has; else empty. */
export function unlisted(catalogue: Catalogue, search: string): string {
  const name = search.trim();
  const listed = catalogue.models.some(model => model.id === name || model.name === name);
  return name && name.length <= 512 && !listed ? name : '';
}

/** Models of servers that were found on this machine. */
export function localModels(catalogue: Catalogue | null): readonly KnownModel[] {
  const local = catalogue?.providers.filter(({ local, name }) => local && name !== 'offline') ?? [];
  return catalogue?.models.filter(model => local.some(({ name }) => name === model.provider)) ?? [];
}

/** Where a question goes now: who answers it, and whether that is on this machine. Null when it cannot be told. */
export interface Destination {
  readonly kind: 'responder' | 'local' | 'away';
  readonly host: string;
  readonly model: string;
}

export function destination(catalogue: Catalogue): Destination | null {
  const id = catalogue.default ?? '';
  if (id === RESPONDER) {
    return { kind: 'responder', host: '', model: id };
  }
  const provider = catalogue.providers.find(({ name }) => id.startsWith(`${name}/`));
  if (!provider) {
    return null;
  }
  const host = hostOf(provider.base_url);
  return { kind: loopback(host) ? 'local' : 'away', host: host || provider.label, model: shortName(id) };
}

/** The endpoint of a model, to be mended: its address as it is known, and the model as the endpoint names it. */
export function endpointOf(catalogue: Catalogue | null, model: string): { base_url: string; model: string } {
  const provider = catalogue?.providers.find(({ name }) => model.startsWith(`${name}/`));
  return { base_url: provider?.base_url ?? '', model: provider ? shortName(model) : model };
}

function hostOf(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return '';
  }
}

function loopback(host: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/.test(host);
}

/** Tokens in thousands, as "128k". */
export function thousands(tokens: number): string {
  return tokens >= 1_000 ? `${Math.round(tokens / 1_000)}k` : String(tokens);
}
