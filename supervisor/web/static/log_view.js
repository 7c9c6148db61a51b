/** The list of a log's lines: only those that can be seen exist. */

import { el } from "./dom.js";
import { makeRow } from "./log_row.js";
import { isAtEnd, scrollTo, visibleRows } from "./window.js";

/** Pixels; style.css says the same. */
const LINE = 18;

export class LogView {
  #lines;
  #space = el("div", { class: "space" });
  #rows = new Map();
  #search = null;
  #current = null;
  #frame = 0;
  #onFollowing;
  #lastTop = 0;
  isFollowing = true;

  /** `onFollowing(isFollowing)` when that changes. */
  constructor(lines, onFollowing) {
    this.#lines = lines;
    this.#onFollowing = onFollowing;
    this.node = el("div", { class: "lines", tabindex: "0", role: "region", "aria-label": "Lines" }, this.#space);
    this.node.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.resizing = new ResizeObserver(() => this.changed());
    this.resizing.observe(this.node);
    this.onSelection = () => this.#selected();
    document.addEventListener("selectionchange", this.onSelection);
  }

  close() {
    this.resizing.disconnect();
    document.removeEventListener("selectionchange", this.onSelection);
    cancelAnimationFrame(this.#frame);
  }

  /** Lines have come; `gone` old ones went. Drawn with the next frame, however often this is called. */
  changed(gone = 0) {
    if (gone && !this.isFollowing) {
      this.node.scrollTop = Math.max(0, this.node.scrollTop - gone * LINE);
      this.#lastTop = this.node.scrollTop;
    }
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  /** Draw anew what is seen: what is found has changed, or the theme. */
  redraw(search = this.#search, current = this.#current) {
    this.#search = search;
    this.#current = current;
    this.#drop(() => true);
    this.changed();
  }

  follow() {
    this.#setFollowing(true);
    this.changed();
  }

  reveal(serial) {
    this.#setFollowing(false);
    this.#stretch();
    const row = serial - this.#lines.first;
    this.node.scrollTop = scrollTo(row, this.node.scrollTop, this.node.clientHeight, LINE);
    this.#lastTop = this.node.scrollTop;
    this.changed();
  }

  /** Serial number of the first line that can be seen. */
  get top() {
    return this.#lines.first + Math.floor(this.node.scrollTop / LINE);
  }

  #draw() {
    this.#frame = 0;
    this.#heedScrolling();
    this.#stretch();
    const height = this.node.clientHeight;
    if (this.isFollowing) this.node.scrollTop = this.#lines.count * LINE;
    this.#lastTop = this.node.scrollTop;
    const [from, to] = visibleRows(this.#lastTop, height, LINE, this.#lines.count);
    const [first, end] = [this.#lines.first + from, this.#lines.first + to];
    this.#drop((serial) => serial < first || serial >= end);
    for (let serial = first; serial < end; serial += 1) this.#show(serial);
  }

  #stretch() {
    this.#space.style.height = `${this.#lines.count * LINE}px`;
  }

  #show(serial) {
    let row = this.#rows.get(serial);
    if (row === undefined) {
      const line = this.#lines.at(serial);
      row = makeRow(line, this.#search?.ranges(line.plain) ?? [], this.#ground());
      row.classList.toggle("current", serial === this.#current);
      this.#rows.set(serial, row);
      this.#insert(serial, row);
    }
    row.style.transform = `translateY(${(serial - this.#lines.first) * LINE}px)`;
  }

  /** In their order also in the document, so that what is selected is copied in order. */
  #insert(serial, row) {
    let after = serial + 1;
    const end = this.#lines.end;
    while (after < end && after < serial + 200 && !this.#rows.has(after)) after += 1;
    this.#space.insertBefore(row, this.#rows.get(after) ?? null);
  }

  #drop(isOut) {
    for (const [serial, row] of this.#rows) {
      if (!isOut(serial)) continue;
      row.remove();
      this.#rows.delete(serial);
    }
  }

  #ground() {
    return getComputedStyle(this.node).backgroundColor.match(/\d+/g).slice(0, 3).map(Number);
  }

  #scrolled() {
    this.#heedScrolling();
    this.changed();
  }

  /**
   * Up is a wish to stay; at the end it follows again. Also asked before drawing: the event of a scroll may
   * come after that, and following would have undone it.
   */
  #heedScrolling() {
    const { scrollTop, clientHeight, scrollHeight } = this.node;
    if (scrollTop === this.#lastTop) return;
    if (scrollTop < this.#lastTop) this.#setFollowing(false);
    if (isAtEnd(scrollTop, clientHeight, scrollHeight, LINE)) this.#setFollowing(true);
    this.#lastTop = scrollTop;
  }

  /** Whoever selects something wants it to stay where it is. */
  #selected() {
    const selection = getSelection();
    if (!selection.isCollapsed && this.#space.contains(selection.anchorNode)) this.#setFollowing(false);
  }

  #setFollowing(isFollowing) {
    if (this.isFollowing === isFollowing) return;
    this.isFollowing = isFollowing;
    this.#onFollowing(isFollowing);
  }
}
