/**
 * Nodes from Markdown tokens.
 *
 * The law: only the elements and attributes written in this file exist; text from a model is only ever text, a checked
 * address or a code block's language. Raw HTML is shown as written, and nothing remote is loaded.
 */

import type { MarkedToken, Token, Tokens } from 'marked';
import type { ComponentChildren, VNode } from 'preact';
import { CodeBlock } from './code';
import { Formula } from './formula';
import { PictureIcon } from './icons';
import { decoded } from '../markdown/entities';
import { fenceClosed, languageName } from '../markdown/fence';
import type { MathToken } from '../markdown/math';
import { destination, speaksForItself } from '../markdown/url';

const ALIGN = { left: 'jp-mod-left', center: 'jp-mod-center', right: 'jp-mod-right' } as const;
const HEADINGS = ['h3', 'h3', 'h4', 'h5', 'h6', 'h6'] as const;
const BREAK = /^<br\s*\/?>$/i;

/** Nodes of a sequence of tokens, blocks or inline. */
export function nodes(tokens: readonly Token[] | undefined, settled: boolean): ComponentChildren {
  return tokens?.map(token => node(token, settled));
}

/** The node of one token. `settled` when no later text can change it. */
export function node(generic: Token, settled: boolean): ComponentChildren {
  const token = generic as MarkedToken | MathToken;
  switch (token.type) {
    case 'math':
      return <Formula tex={token.tex} source={token.text} display={token.display} settled={settled} />;
    case 'paragraph':
      return <p>{nodes(token.tokens, settled)}</p>;
    case 'text':
      return text(token, settled);
    case 'escape':
      return token.text;
    case 'strong':
      return <strong>{nodes(token.tokens, settled)}</strong>;
    case 'em':
      return <em>{nodes(token.tokens, settled)}</em>;
    case 'del':
      return <del>{nodes(token.tokens, settled)}</del>;
    case 'codespan':
      return <code>{token.text}</code>;
    case 'br':
      return <br />;
    case 'link':
      return <Link token={token} />;
    case 'image':
      return <Picture token={token} />;
    case 'code':
      return code(token, settled);
    case 'heading':
      return heading(token, settled);
    case 'list':
      return list(token, settled);
    case 'checkbox':
      return <span class="jp-Assistant-check">{token.checked ? '☑ ' : '☐ '}</span>;
    case 'blockquote':
      return <blockquote>{nodes(token.tokens, settled)}</blockquote>;
    case 'table':
      return table(token, settled);
    case 'hr':
      return <hr />;
    case 'html':
      return html(token.text);
    case 'space':
    case 'def':
      return null;
    default:
      return generic.raw;
  }
}

function text(token: Tokens.Text, settled: boolean): ComponentChildren {
  if (token.tokens) {
    return nodes(token.tokens, settled);
  }
  return token.escaped ? token.text : decoded(token.text);
}

function html(source: string): ComponentChildren {
  return BREAK.test(source.trim()) ? <br /> : <span class="jp-Assistant-raw">{source}</span>;
}

/** A fence that was cut off is shown like any other, but is not whole. */
function code(token: Tokens.Code, settled: boolean): VNode {
  if (languageName(token.lang ?? '') === 'math') {
    return <Formula tex={token.text} source={token.text} display settled={settled} />;
  }
  const whole = token.codeBlockStyle === 'indented' ? settled : fenceClosed(token.raw);
  return <CodeBlock code={token.text} language={token.lang ?? ''} closed={settled || whole} whole={whole} />;
}

function heading(token: Tokens.Heading, settled: boolean): VNode {
  const Level = HEADINGS[token.depth - 1] ?? 'h6';
  return <Level>{nodes(token.tokens, settled)}</Level>;
}

function list(token: Tokens.List, settled: boolean): VNode {
  const items = token.items.map((item, index) => (
    <li key={index} class={item.task ? 'jp-mod-task' : undefined}>
      {nodes(item.tokens, settled)}
    </li>
  ));
  return token.ordered ? <ol start={Number(token.start) || 0}>{items}</ol> : <ul>{items}</ul>;
}

function row(cells: readonly Tokens.TableCell[], settled: boolean): VNode {
  return (
    <tr>
      {cells.map((cell, index) => {
        const align = cell.align ? ALIGN[cell.align] : undefined;
        const Cell = cell.header ? 'th' : 'td';
        return (
          <Cell key={index} class={align}>
            {nodes(cell.tokens, settled)}
          </Cell>
        );
      })}
    </tr>
  );
}

function table(token: Tokens.Table, settled: boolean): VNode {
  return (
    <div class="jp-Assistant-table" tabIndex={0}>
      <table>
        <thead>{row(token.header, settled)}</thead>
        <tbody>{token.rows.map(cells => row(cells, settled))}</tbody>
      </table>
    </div>
  );
}

/** What a link or an image says of itself, as plain text. */
function plain(tokens: readonly Token[] | undefined, otherwise: string): string {
  if (!tokens?.length) {
    return decoded(otherwise);
  }
  return tokens.map(token => ('text' in token ? decoded(String(token.text)) : '')).join('');
}

function Anchor({ href, title, children }: { href: string; title: string; children: ComponentChildren }): VNode {
  return (
    <a href={href} title={title} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  );
}

/** Where a link really leads, always in sight. */
function Host({ name }: { name: string }): VNode {
  return <small class="jp-Assistant-host"> ({name})</small>;
}

function Link({ token }: { token: Tokens.Link }): VNode {
  const to = destination(token.autolink ? token.href : decoded(token.href));
  const label = plain(token.tokens, token.text);
  const children = nodes(token.tokens, true);
  if (!to) {
    return <span class="jp-Assistant-deadLink">{children}</span>;
  }
  if (to.long) {
    return (
      <details class="jp-Assistant-longLink">
        <summary>
          {children}
          <Host name={to.host} />
        </summary>
        <Anchor href={to.href} title={to.host}>
          {to.href}
        </Anchor>
      </details>
    );
  }
  return (
    <>
      <Anchor href={to.href} title={`${to.host} · ${to.href}`}>
        {children}
      </Anchor>
      {speaksForItself(label, to) ? null : <Host name={to.host} />}
    </>
  );
}

/** An image is never loaded: its description stands for it, leading to where it is. */
function Picture({ token }: { token: Tokens.Image }): VNode {
  const to = destination(decoded(token.href));
  const label = plain(undefined, token.text) || 'image';
  return (
    <span class="jp-Assistant-picture">
      <PictureIcon />
      {to && !to.long ? (
        <>
          <Anchor href={to.href} title={`${to.host} · ${to.href}`}>
            {label}
          </Anchor>
          <Host name={to.host} />
        </>
      ) : (
        label
      )}
    </span>
  );
}
