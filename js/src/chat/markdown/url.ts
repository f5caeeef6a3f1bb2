/**
 * Which addresses in an answer may become links.
 *
 * The law: only http, https and mailto, read by the browser's own parser; the host that will be visited is shown.
 */

export interface Destination {
  readonly href: string;
  /** The host, or the address of a mailto link. */
  readonly host: string;
  /** So long that it could carry data away: shown in full before it can be followed. */
  readonly long: boolean;
}

const SCHEMES = ['http:', 'https:', 'mailto:'];
const LONGEST = 2_000;
const LONG = 200;

/** Where a link leads, or null when it must not be a link. */
export function destination(raw: string): Destination | null {
  const url = URL.canParse(raw.trim()) ? new URL(raw.trim()) : null;
  if (!url || !SCHEMES.includes(url.protocol) || url.username || url.password || url.href.length > LONGEST) {
    return null;
  }
  const beyond = url.protocol === 'mailto:' ? url.search : url.pathname + url.search + url.hash;
  const host = url.protocol === 'mailto:' ? url.pathname : url.host;
  return { href: url.href, host, long: beyond.length > LONG };
}

/** Whether a link's text is nothing but its address, so that it need not be said twice. */
export function speaksForItself(text: string, { href, host }: Destination): boolean {
  const bare = (address: string): string => address.replace(/^(https?:\/\/|mailto:)/, '').replace(/\/$/, '');
  return [bare(href), host].includes(bare(text.trim()));
}
