/** What the tests use of `ws`, which comes with JupyterLab's services and brings no types. */
declare module 'ws' {
  import type { AddressInfo } from 'node:net';

  export class WebSocket {
    constructor(url: string);
    on(event: 'message', listener: (data: Buffer) => void): void;
    on(event: 'close', listener: (code: number) => void): void;
    send(data: string): void;
    close(code?: number, reason?: string): void;
    terminate(): void;
  }

  export class WebSocketServer {
    constructor(options: { host: string; port: number });
    on(event: 'connection', listener: (socket: WebSocket) => void): void;
    once(event: 'listening', listener: (value: unknown) => void): void;
    address(): AddressInfo | string | null;
    close(): void;
  }
}
