/** A code block: its language, what can be done with it, and colours once it is complete. */

import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Piece } from '../host';
import { languageName } from '../markdown/fence';
import { CodeActions } from './cells';
import { usePanel } from './context';

interface Props {
  readonly code: string;
  readonly language: string;
  /** No later text changes it. */
  readonly closed: boolean;
  /** Its end was given, so that it can be used. */
  readonly whole: boolean;
}

export function CodeBlock({ code, language, closed, whole }: Props): VNode {
  const name = languageName(language);
  const pieces = usePieces(code, name, closed);
  return (
    <div class="jp-Assistant-code">
      <div class="jp-Assistant-codeHead">
        <span class="jp-Assistant-cut">{name || 'text'}</span>
        <CodeActions code={code} language={name} whole={whole} />
      </div>
      <pre tabIndex={0}>
        <code>
          {pieces
            ? pieces.map((piece, index) => (
                <span key={index} class={piece.className || undefined}>
                  {piece.text}
                </span>
              ))
            : code}
        </code>
      </pre>
    </div>
  );
}

/** The code in colours once it is complete; null until then, or when the host knows no such language. */
function usePieces(code: string, language: string, closed: boolean): readonly Piece[] | null {
  const { host } = usePanel();
  const [coloured, setColoured] = useState<readonly Piece[] | null>(null);
  const ended = closed ? code : null; // while it grows there is nothing to do, and no effect asks for a frame
  useEffect(() => {
    const abort = new AbortController();
    setColoured(null);
    if (ended !== null && language) {
      host.highlight(ended, language).then(
        pieces => {
          const same = pieces.map(piece => piece.text).join('') === ended;
          if (!abort.signal.aborted && same) {
            setColoured(pieces);
          }
        },
        () => undefined
      );
    }
    return () => {
      abort.abort();
    };
  }, [ended, language]);
  return coloured;
}
