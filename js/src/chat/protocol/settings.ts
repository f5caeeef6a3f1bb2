/** The server's settings, as far as the user may see and change them. */

import { list, object, text } from './json';

export type SettingValue = string | number | readonly string[];

/** Settings to change, by name; null goes back to the administrator's value. */
export type Changes = Readonly<Partial<Record<string, SettingValue | null>>>;

export type SettingSource = 'user' | 'administrator' | 'environment' | 'default';

/** A setting as it is in force. Of a `secret` only whether there is one is known: `value` is empty. */
export interface Setting {
  readonly name: string;
  readonly kind: 'text' | 'number' | 'list' | 'secret';
  readonly value: SettingValue;
  /** Whether there is a value at all. */
  readonly set: boolean;
  readonly source: SettingSource;
  readonly locked: boolean;
  readonly help: string;
}

const SOURCES: readonly string[] = ['user', 'administrator', 'environment', 'default'] satisfies SettingSource[];

function settingValue(value: unknown): Pick<Setting, 'kind' | 'value' | 'set'> {
  if (typeof value === 'boolean') {
    return { kind: 'secret', value: '', set: value };
  }
  if (Array.isArray(value)) {
    return { kind: 'list', value: value.map(text), set: value.length > 0 };
  }
  return typeof value === 'number'
    ? { kind: 'number', value, set: true }
    : { kind: 'text', value: text(value), set: value !== '' };
}

/** The answer of `GET settings` and `PATCH settings`. */
export function settings(value: unknown): Setting[] {
  const json = object(value);
  const [sources, help] = [object(json['sources']), object(json['help'])];
  const locked = list(json['locked']);
  return Object.entries(object(json['settings'])).map(([name, found]) => ({
    name,
    ...settingValue(found),
    source: SOURCES.includes(text(sources[name])) ? (sources[name] as SettingSource) : 'default',
    locked: locked.includes(name),
    help: text(help[name])
  }));
}
