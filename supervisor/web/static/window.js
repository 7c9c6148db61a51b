/** The arithmetic of a list of which only the visible part exists. Pure; lengths in pixels. */

const SPARE = 10;
/* Rows above and below, so that a short scroll finds them there. */

/** [from, to) of the rows that are to exist. */
export function visibleRows(scrollTop, height, rowHeight, count) {
  const from = Math.floor(scrollTop / rowHeight) - SPARE;
  const to = Math.ceil((scrollTop + height) / rowHeight) + SPARE;
  return [clamp(from, 0, count), clamp(to, 0, count)];
}

/** Whether the end can be seen; half a row short of it still counts. */
export function isAtEnd(scrollTop, height, total, rowHeight) {
  return scrollTop + height >= total - rowHeight / 2;
}

/** Where to scroll so that a row stands in the middle; `scrollTop` if it can be seen already. */
export function scrollTo(row, scrollTop, height, rowHeight) {
  const top = row * rowHeight;
  const isSeen = top >= scrollTop && top + rowHeight <= scrollTop + height;
  return isSeen ? scrollTop : Math.max(0, top - (height - rowHeight) / 2);
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
