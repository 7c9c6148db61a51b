/** Pools as rows of cells: one look shows who has which port. */

import { el, Keyed, setAttribute, setText } from "./dom.js";

const SYMBOL = { free: "", ours: "■", foreign: "×", leftover: "!" };
const MEANING = {
  free: "free",
  ours: "its own",
  other: "taken",
  foreign: "foreign, not started by portsup",
  leftover: "left over, see portsup prune",
};

/** What a cell says to who doesn't see it. Pure. */
export function cellText({ port, state, who }) {
  const meaning = MEANING[state] ?? state;
  return who && state !== "ours" ? `${port}: ${meaning}, ${who}` : `${port}: ${meaning}`;
}

/** What stands in a cell: of another's the number of its instance, where it has one. Pure. */
export function cellSymbol({ state, who }) {
  if (state !== "other") return SYMBOL[state] ?? "?";
  return / (\d{1,2}) · /.exec(who ?? "")?.[1] ?? "•";
}

class Cell {
  #symbol = el("span", { "aria-hidden": "true" });
  #text = el("span", { class: "sr" });

  constructor() {
    this.node = el("li", {}, this.#symbol, this.#text);
  }

  show(cell) {
    const text = cellText(cell);
    setAttribute(this.node, "class", `cell ${cell.state in MEANING ? cell.state : "other"}`);
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
    this.#cells.show(cells.map((cell) => [cell.port, cell]), (part, cell) => part.show(cell));
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
