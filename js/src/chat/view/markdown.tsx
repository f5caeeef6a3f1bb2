/**
 * Markdown that streams: the text in, nodes out.
 *
 * The law: a block whose text has not changed is not rendered again.
 */

import type { ComponentChildren, VNode } from 'preact';
import { Component } from 'preact';
import { useRef } from 'preact/hooks';
import type { Block } from '../markdown/blocks';
import { advance, EMPTY } from '../markdown/blocks';
import { node } from './nodes';

class BlockView extends Component<{ block: Block }> {
  override shouldComponentUpdate(next: { block: Block }): boolean {
    return next.block !== this.props.block;
  }

  override render({ block }: { block: Block }): ComponentChildren {
    return node(block.token, block.settled);
  }
}

/** `whole` once the text will not grow any more. */
export function Markdown({ text, whole }: { text: string; whole: boolean }): VNode {
  const parsed = useRef(EMPTY);
  parsed.current = advance(parsed.current, text, whole);
  const { committed, tail } = parsed.current;
  return (
    <div class="jp-Assistant-markdown">
      {[...committed, ...tail].map((block, index) => (
        <BlockView key={index} block={block} />
      ))}
    </div>
  );
}
