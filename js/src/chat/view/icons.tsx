/** The panel's own icons, 16 px, in the colour of the text around them. */

import type { VNode } from 'preact';

function icon(path: string): () => VNode {
  return function Icon() {
    return (
      <svg class="jp-Assistant-icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
        <path
          d={path}
          fill="none"
          stroke="currentColor"
          stroke-width="1.5"
          stroke-linecap="round"
          stroke-linejoin="round"
        />
      </svg>
    );
  };
}

export const SendIcon = icon('M8 13V3.5M3.5 7.5 8 3l4.5 4.5');
export const NewIcon = icon('M8 3v10M3 8h10');
export const ListIcon = icon('M4 6.5 8 10.5 12 6.5');
export const CopyIcon = icon('M6 6h7v7H6zM10 6V3H3v7h3');
export const DoneIcon = icon('m3.5 8.5 3 3 6-7');
export const DownIcon = icon('M8 3v9.5M3.5 8.5 8 13l4.5-4.5');
export const PictureIcon = icon('M2.5 3.500h11v9h-11zM2.500 11l3.500-3.500 3 3 1.500-1.500 3 3');
export const NotebookIcon = icon('M4 2.5h8.5v11H4zM2.5 5H5M2.5 8H5M2.5 11H5');

export function StopIcon(): VNode {
  return (
    <svg class="jp-Assistant-icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <rect x="4" y="4" width="8" height="8" rx="1.5" fill="currentColor" />
    </svg>
  );
}
