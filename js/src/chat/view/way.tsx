/** A row that opens what is below it, or says why it cannot be opened. */

import type { ComponentChildren, VNode } from 'preact';
import { ListIcon, LockIcon } from './icons';

interface RowProps {
  readonly name: string;
  readonly about: string;
  readonly closed: boolean;
  readonly open: boolean;
  readonly toggle: () => void;
  readonly children: ComponentChildren;
}

export function WayRow({ name, about, closed, open, toggle, children }: RowProps): VNode {
  return (
    <div class="jp-Assistant-way">
      <button
        type="button"
        aria-expanded={open}
        aria-disabled={closed}
        onClick={() => {
          if (!closed) {
            toggle();
          }
        }}
      >
        <span>
          <strong>{name}</strong>
          <small>{about}</small>
        </span>
        {closed ? <LockIcon /> : <ListIcon />}
      </button>
      {open ? <div class="jp-Assistant-form">{children}</div> : null}
    </div>
  );
}
