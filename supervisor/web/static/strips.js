/** Pools as rows of cells: one look shows who has which port. */

import { el, Keyed, setAttribute, setText } from "./dom.js";

const SYMBOL = { free: "", ours: "■", foreign: "!", leftover: "†" };
const MEANING = {
  free: "free",
  ours: "its own",
  other: "taken",
  foreign: "foreign, not started by portsup",
  leftover: "left over, see portsup prune",
};

/** What a cell says to who doesn't see it. Pure. */
export function cellText({ port, to, count, state, who }) {
  if (to !== undefined) return `${port}–${to}: ${count} free`;
  const meaning = MEANING[state] ?? state;
  return who && state !== "ours" ? `${port}: ${meaning}, ${who}` : `${port}: ${meaning}`;
}

/** What stands in a cell: of another's the number of its instance, where it has one. Pure. */
export function cellSymbol({ count, state, who }) {
  if (count !== undefined) return `+${count}`;
  if (state !== "other") return SYMBOL[state] ?? "?";
  return / (\d{1,2}) · /.exec(who ?? "")?.[1] ?? "•";
}

/** Cells of a pool that is shown whole; in a longer one a stretch of free ports is one cell. */
const SHOWN = 14;
const STRETCH = 4;

/** The cells to show; of a stretch also `to`, its last port. Pure. */
export function shortened(cells) {
  if (cells.length <= SHOWN) return cells;
  return stretches(cells).flatMap((stretch) =>
    stretch.length < STRETCH ? stretch : [{ ...stretch[0], to: stretch.at(-1).port, count: stretch.length }],
  );
}

/** Neighbours that are free together, all others alone. */
function stretches(cells) {
  const found = [];
  for (const cell of cells) {
    const last = found.at(-1)?.at(-1);
    if (cell.state === "free" && last?.state === "free" && last.port + 1 === cell.port) found.at(-1).push(cell);
    else found.push([cell]);
  }
  return found;
}

class Cell {
  #symbol = el("span", { "aria-hidden": "true" });
  #text = el("span", { class: "sr" });

  constructor() {
    this.node = el("li", {}, this.#symbol, this.#text);
  }

  show(cell) {
    const text = cellText(cell);
    const look = cell.state in MEANING ? cell.state : "other";
    setAttribute(this.node, "class", cell.to === undefined ? `cell ${look}` : `cell ${look} stretch`);
    setAttribute(this.node, "title", text);
    setText(this.#symbol, cellSymbol(cell));
    setText(this.#text, text);
  }
}

class Strip {
  #cells;
  #name = el("span", { class: "pool-name" });

  constructor() {
    const list = el("ul", { class: "strip", role: "list" });
    this.#cells = new Keyed(list, () => new Cell());
    this.list = list;
    this.node = el("div", { class: "pool-row" }, list, this.#name);
  }

  show({ pool, cells }, several) {
    setText(this.#name, several ? pool : "");
    setAttribute(this.list, "aria-label", pool === "port" ? "pool" : `pool ${pool}`);
    this.#cells.show(shortened(cells).map((cell) => [cell.port, cell]), (part, cell) => part.show(cell));
  }
}

/** All pools of one service. */
export class Strips {
  node = el("div", { class: "pools" });
  #strips = new Keyed(this.node, () => new Strip());

  show(strips) {
    const several = strips.length > 1;
    this.#strips.show(strips.map((strip) => [strip.pool, strip]), (part, strip) => part.show(strip, several));
  }
}
