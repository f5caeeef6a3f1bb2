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
export const InsertIcon = icon('M2.5 2.5h11v5h-11zM8 10v4M6 12h4');
export const ReplaceIcon = icon('M2.5 5.500h9M9 3l2.500 2.500L9 8M13.500 10.500h-9M7 8l-2.500 2.500L7 13');
export const RunIcon = icon('M5 3.500v9l7.500-4.500z');
export const PictureIcon = icon('M2.5 3.500h11v9h-11zM2.500 11l3.500-3.500 3 3 1.500-1.500 3 3');
export const MoreIcon = icon('M3.5 8h.01M8 8h.01M12.5 8h.01');
export const PinIcon = icon('M6 2.5h4M6.5 2.5v4L4.500 9.500h7l-2-3v-4M8 9.500v4.500');
export const RetryIcon = icon('M12.500 8.500a4.500 4.500 0 1 1-1.300-3.700M12.500 2.500v3h-3');
export const EditIcon = icon('M3 13l.600-3L10.500 3l2.500 2.500-7 7z');
export const NotebookIcon = icon('M4 2.5h8.5v11H4zM2.5 5H5M2.5 8H5M2.5 11H5');
export const LockIcon = icon('M4.5 7.5h7v5.500h-7zM6 7.500V5.500a2 2 0 0 1 4 0v2');
export const CloseIcon = icon('m4 4 8 8M12 4l-8 8');
export const GearIcon = icon(
  'M8 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM8 6.700a1.300 1.300 0 1 0 0 2.600 1.300 1.300 0 0 0 0-2.600zM8 1.800V4M8 12v2.200M1.800 8H4M12 8h2.200M3.600 3.600l1.600 1.600M10.800 10.800l1.600 1.600M3.600 12.400l1.600-1.600M10.800 5.200l1.600-1.600'
);
export const EyeIcon = icon(
  'M1.500 8S4 3.500 8 3.500 14.500 8 14.500 8 12 12.500 8 12.500 1.500 8 1.500 8zM8 6.300a1.700 1.700 0 1 0 0 3.400 1.700 1.700 0 0 0 0-3.400z'
);

export function StopIcon(): VNode {
  return (
    <svg class="jp-Assistant-icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <rect x="4" y="4" width="8" height="8" rx="1.5" fill="currentColor" />
    </svg>
  );
}
