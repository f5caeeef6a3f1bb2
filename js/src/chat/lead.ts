/**
 * The words a question begins with before its user goes on ("About cell 3: "); pure.
 *
 * The law: what was typed stays; only an earlier lead of the same kind, about another cell, gives way to the new one.
 */

const NUMBERS = /\d+/;

function sameKind(lead: string): RegExp {
  const literal = lead.split(NUMBERS).map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${literal.join('\\d+')}`);
}

/** The text of the composer with this lead. */
export function led(lead: string, typed: string): string {
  return lead + typed.replace(sameKind(lead), '');
}
