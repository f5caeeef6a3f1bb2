/**
 * The settings form as values: what is typed, and what of it goes to the server; pure.
 *
 * The law: what was not touched is not sent, and what a server will not take is sent as it was typed, so that the
 * server says what is wrong with it.
 */

import type { Changes, Setting, SettingValue } from './protocol';

/** What is typed, by name; null where the setting shall go back to the administrator's value. */
export type Drafts = Readonly<Partial<Record<string, string | null>>>;

/** The value as it stands in a field; a list has one line for each item. */
export function typed({ value }: Setting): string {
  return Array.isArray(value) ? value.join('\n') : String(value);
}

function wire({ kind }: Setting, text: string): SettingValue {
  switch (kind) {
    case 'number':
      return /^-?\d{1,15}$/.test(text.trim()) ? Number(text) : text;
    case 'list':
      return text
        .split('\n')
        .map(line => line.trim())
        .filter(Boolean);
    default:
      return text.trim();
  }
}

/** What saving would send. */
export function changes(settings: readonly Setting[], drafts: Drafts): Changes {
  const changed = settings.flatMap((setting): [string, SettingValue | null][] => {
    const draft = drafts[setting.name];
    if (draft === undefined || setting.locked || (draft !== null && draft === typed(setting))) {
      return [];
    }
    return [[setting.name, draft === null ? null : wire(setting, draft)]];
  });
  return Object.fromEntries(changed);
}

const ORDER = [
  ...['model', 'base_url', 'api_key', 'instructions', 'context_tokens', 'max_tokens', 'no_think'],
  ...['embeddings_base_url', 'embeddings_api_key', 'embeddings_model']
];

/** The settings people look for first, then those this panel does not know. */
export function ordered(settings: readonly Setting[]): Setting[] {
  const place = ({ name }: Setting): number => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return settings.toSorted((one, other) => place(one) - place(other));
}
