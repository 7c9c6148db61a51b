/** A small curve: the last five minutes, from nothing to its highest. */

import { setAttribute, svg } from "./dom.js";

const SECONDS = 300;
const WIDTH = 60;
const HEIGHT = 16;

/** The `d` of a path. `values`: [[time, value | null], …]; a null breaks the line. Pure. */
export function curve(values, floor) {
  if (!values.length) return "";
  const last = values.at(-1)[0];
  const highest = Math.max(floor, ...values.map(([, value]) => value ?? 0));
  let pen = "M";
  let path = "";
  for (const [time, value] of values) {
    const x = WIDTH - ((last - time) / SECONDS) * WIDTH;
    if (x < 0) continue;
    if (value === null) {
      pen = "M";
      continue;
    }
    path += `${pen}${x.toFixed(1)} ${(HEIGHT - 1 - (value / highest) * (HEIGHT - 2)).toFixed(1)}`;
    pen = "L";
  }
  return path;
}

export class Spark {
  #path = svg("path");

  /** `floor`: a curve below it isn't blown up to the full height. */
  constructor(floor) {
    this.floor = floor;
    this.node = svg(
      "svg",
      { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true", focusable: "false" },
      this.#path,
    );
  }

  show(values) {
    setAttribute(this.#path, "d", curve(values, this.floor));
  }
}
