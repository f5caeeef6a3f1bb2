/** A code block: its language, a button that copies it, and colours once it is complete. */

import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Piece } from '../host';
import { usePanel } from './context';
import { CopyIcon, DoneIcon } from './icons';

const COPIED_MS = 1_500;

interface Props {
  readonly code: string;
  readonly language: string;
  readonly closed: boolean;
}

/** A language's name as a fence gives it: its first word, nothing but what names have. */
export function languageName(info: string): string {
  return (/^[\w+#.-]{1,24}/.exec(info)?.[0] ?? '').toLowerCase();
}

export function CodeBlock({ code, language, closed }: Props): VNode {
  const name = languageName(language);
  const pieces = usePieces(code, name, closed);
  return (
    <div class="jp-Assistant-code">
      <div class="jp-Assistant-codeHead">
        <span>{name || 'text'}</span>
        <CopyButton text={code} />
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
  useEffect(() => {
    const abort = new AbortController();
    setColoured(null);
    if (closed && language) {
      host.highlight(code, language).then(
        pieces => {
          const same = pieces.map(piece => piece.text).join('') === code;
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
  }, [code, language, closed]);
  return coloured;
}

function CopyButton({ text }: { text: string }): VNode {
  const { host } = usePanel();
  const { trans } = host;
  const [copied, setCopied] = useState(0);
  useEffect(() => {
    const timer = setTimeout(() => {
      setCopied(0);
    }, COPIED_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [copied]);
  const copy = (): void => {
    host.copy(text).then(
      () => {
        setCopied(count => count + 1);
      },
      () => undefined
    );
  };
  return (
    <button type="button" class="jp-Assistant-plain" onClick={copy}>
      {copied ? <DoneIcon /> : <CopyIcon />}
      <span>{copied ? trans.__('Copied') : trans.__('Copy')}</span>
    </button>
  );
}
