/** What MCP clients want in their configuration to find this server. */

import { list, object, text } from './json';

/** One way to connect: what goes into the client's file, and a line that says where. */
export interface ClientForm {
  /** `stdio`: the client starts a program; `http`: it connects by itself. */
  readonly form: 'stdio' | 'http';
  readonly text: string;
  readonly note: string;
}

export interface McpClient {
  readonly name: string;
  readonly title: string;
  /** The one to try first before the other. */
  readonly forms: readonly ClientForm[];
}

/** The known clients, and what any of them may do with the server's token. */
export interface McpClients {
  readonly tools: 'read' | 'write' | 'execute';
  readonly clients: readonly McpClient[];
}

function clientForm(value: unknown): ClientForm {
  const json = object(value);
  return { form: json['form'] === 'stdio' ? 'stdio' : 'http', text: text(json['text']), note: text(json['note']) };
}

/** The answer of `GET mcp/clients`. */
export function mcpClients(value: unknown): McpClients {
  const json = object(value);
  return {
    tools: json['tools'] === 'read' || json['tools'] === 'write' ? json['tools'] : 'execute',
    clients: list(json['clients']).map(each => {
      const client = object(each);
      return { name: text(client['name']), title: text(client['title']), forms: list(client['forms']).map(clientForm) };
    })
  };
}
