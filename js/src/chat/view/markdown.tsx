/**
 * Markdown that streams: the text in, nodes out.
 *
 * The law: a block whose text has not changed is not rendered again, and what is far from view not before it is near.
 */

import type { ComponentChildren, VNode } from 'preact';
import { Component } from 'preact';
import { useRef } from 'preact/hooks';
import type { Block } from '../markdown/blocks';
import { advance, EMPTY } from '../markdown/blocks';
import { useNear } from './near';
import { node } from './nodes';

interface Props {
  readonly text: string;
  /** Once the text will not grow any more. */
  readonly whole: boolean;
}

class BlockView extends Component<{ block: Block }> {
  override shouldComponentUpdate(next: { block: Block }): boolean {
    return next.block !== this.props.block;
  }

  override render({ block }: { block: Block }): ComponentChildren {
    return node(block.token, block.settled);
  }
}

export function Markdown({ text, whole }: Props): VNode {
  const box = useRef<HTMLDivElement>(null);
  const near = useNear(box, !whole);
  return near ? (
    <Rendered text={text} whole={whole} />
  ) : (
    <div ref={box} class="jp-Assistant-plainText">
      {text}
    </div>
  );
}

function Rendered({ text, whole }: Props): VNode {
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
