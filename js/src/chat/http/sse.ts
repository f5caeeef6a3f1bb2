/**
 * `text/event-stream` from bytes (WHATWG HTML §9.2.6): lines end at CR, LF or CRLF and nowhere else, text is UTF-8.
 *
 * The law: how the bytes are cut into chunks never changes what comes out.
 */

export interface Frame {
  readonly id: string;
  readonly name: string;
  readonly data: string;
}

const LINE_END = /\r\n|\n|\r/g;

/** Takes bytes in, gives complete frames out; a frame cut off by the end of the stream is dropped, as specified. */
export class FrameParser {
  readonly #decoder = new TextDecoder();
  #line = '';
  #afterCr = false;
  #id = '';
  #name = '';
  #data: string[] = [];

  push(bytes: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    const text = this.#decoder.decode(bytes, { stream: true });
    let start = this.#afterCr && text.startsWith('\n') ? 1 : 0;
    if (text) {
      this.#afterCr = text.endsWith('\r');
    }
    LINE_END.lastIndex = start;
    for (let end = LINE_END.exec(text); end; end = LINE_END.exec(text)) {
      const frame = this.#take(this.#line + text.slice(start, end.index));
      this.#line = '';
      start = LINE_END.lastIndex;
      if (frame) {
        frames.push(frame);
      }
    }
    this.#line += text.slice(start);
    return frames;
  }

  #take(line: string): Frame | null {
    if (line === '') {
      return this.#dispatch();
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line.startsWith(' ', colon + 1) ? colon + 2 : colon + 1);
    if (field === 'data') {
      this.#data.push(value);
    } else if (field === 'event') {
      this.#name = value;
    } else if (field === 'id' && !value.includes('\0')) {
      this.#id = value;
    }
    return null;
  }

  #dispatch(): Frame | null {
    const frame = { id: this.#id, name: this.#name || 'message', data: this.#data.join('\n') };
    const empty = this.#data.length === 0;
    this.#name = '';
    this.#data = [];
    return empty ? null : frame;
  }
}
