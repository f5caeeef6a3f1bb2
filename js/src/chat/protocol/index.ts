/**
 * What crosses the wire, and the one place where JSON of unknown shape becomes typed values (DESIGN §4, §5).
 *
 * The law: nothing past this folder is `any`, and nothing a server or a model sends can be of another type than it
 * says. Names are those of the wire (`snake_case`), turned nowhere.
 */

export * from './clients';
export * from './conversations';
export * from './events';
export { object, parse } from './json';
export * from './models';
export * from './question';
export * from './settings';
