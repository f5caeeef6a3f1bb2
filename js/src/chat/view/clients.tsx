/**
 * Connecting an MCP client to this server: each one's configuration, to be copied, and what it may do then.
 *
 * The law: the words and the configurations are the server's own, the very ones its command prints; a token is in none.
 */

import type { VNode } from 'preact';
import { useEffect, useId, useState } from 'preact/hooks';
import type { Host, Trans } from '../host';
import type { ClientForm, Failure, McpClient, McpClients } from '../protocol';
import { ActionButton } from './cells';
import { usePanel } from './context';
import { CopyIcon } from './icons';
import { Problem } from './sheet';
import { WayRow } from './way';

export function ClientsCard(): VNode {
  const { trans } = usePanel().host;
  const [open, setOpen] = useState(false);
  return (
    <div class="jp-Assistant-clients">
      <WayRow
        name={trans.__('Connect an MCP client')}
        about={trans.__('Claude Code, Cursor, VS Code, Codex')}
        closed={false}
        open={open}
        toggle={() => {
          setOpen(!open);
        }}
      >
        {open ? <Clients /> : null}
      </WayRow>
    </div>
  );
}

function Clients(): VNode {
  const { connections, host } = usePanel();
  const [found, setFound] = useState<McpClients | Failure | null>(null);
  useEffect(() => {
    void connections.clients().then(setFound);
  }, []);
  if (!found) {
    return <p role="status">{host.trans.__('Loading…')}</p>;
  }
  if (!('clients' in found)) {
    return <Problem failure={found} />;
  }
  return (
    <>
      <p>{rights(found.tools, host.trans)}</p>
      <Tabs clients={found.clients} />
    </>
  );
}

function rights(tools: McpClients['tools'], trans: Trans): string {
  switch (tools) {
    case 'read':
      return trans.__('A client may read notebooks and kernels, and change or run nothing (mcp_tools = "read").');
    case 'write':
      return trans.__('A client may read and edit notebooks, and run nothing (mcp_tools = "write").');
    case 'execute':
      return trans.__('A client may do what you may: read and edit notebooks, and run code (mcp_tools = "execute").');
  }
}

/** One client at a time; the arrow keys go from tab to tab. */
function Tabs({ clients }: { clients: readonly McpClient[] }): VNode {
  const { trans } = usePanel().host;
  const id = useId();
  const [chosen, choose] = useState(0);
  const client = clients[chosen];
  const onKeyDown = (event: KeyboardEvent): void => {
    const last = clients.length - 1;
    const { key, currentTarget } = event;
    const aims: Readonly<Partial<Record<string, number>>> = {
      ArrowRight: chosen === last ? 0 : chosen + 1,
      ArrowLeft: chosen === 0 ? last : chosen - 1,
      Home: 0,
      End: last
    };
    const aim = aims[key];
    if (aim !== undefined && currentTarget instanceof Element) {
      event.preventDefault();
      choose(aim);
      currentTarget.querySelectorAll('button')[aim]?.focus();
    }
  };
  return (
    <>
      <div class="jp-Assistant-tabs" role="tablist" aria-label={trans.__('MCP clients')} onKeyDown={onKeyDown}>
        {clients.map(({ name, title }, index) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`${id}${name}`}
            aria-selected={index === chosen}
            aria-controls={`${id}panel`}
            tabIndex={index === chosen ? 0 : -1}
            onClick={() => {
              choose(index);
            }}
          >
            {title}
          </button>
        ))}
      </div>
      <div id={`${id}panel`} role="tabpanel" aria-labelledby={`${id}${client?.name ?? ''}`}>
        {client?.forms.map(form => (
          <FormView key={`${client.name} ${form.form}`} form={form} />
        ))}
      </div>
    </>
  );
}

function FormView({ form: { form, text, note } }: { form: ClientForm }): VNode {
  const { host } = usePanel();
  const { trans } = host;
  const name = form === 'stdio' ? trans.__('By a program (stdio)') : trans.__('Over HTTP');
  return (
    <div class="jp-Assistant-code" role="group" aria-label={name}>
      <div class="jp-Assistant-codeHead">
        <span class="jp-Assistant-cut">{name}</span>
        <div class="jp-Assistant-codeActions">
          <CopyButton text={text} host={host} />
        </div>
      </div>
      <p class="jp-Assistant-line">{marked(note)}</p>
      <pre tabIndex={0}>{text}</pre>
    </div>
  );
}

function CopyButton({ text, host }: { text: string; host: Host }): VNode {
  const { trans } = host;
  return (
    <ActionButton
      label={trans.__('Copy')}
      done={trans.__('Copied')}
      obstacle=""
      icon={CopyIcon}
      act={() => host.copy(text).then(() => '')}
    />
  );
}

/** A sentence with its commands set as such. */
function marked(sentence: string): (string | VNode)[] {
  return sentence.split('`').map((part, index) => (index % 2 ? <code key={index}>{part}</code> : part));
}
