/** A small curve: the last five minutes, from nothing to its highest. */

import { setAttribute, svg } from "./dom.js";

const SECONDS = 300;
const WIDTH = 60;
const STEPS = 60;
const HEIGHT = 16;

/** The `d` of a path. `values`: [[time, value | null], …], oldest first; a null breaks the line. Pure. */
export function curve(values, floor) {
  const points = averaged(values);
  const highest = Math.max(floor, ...points.map(([, value]) => value ?? 0));
  let pen = "M";
  let path = "";
  for (const [x, value] of points) {
    if (value === null) {
      pen = "M";
      continue;
    }
    path += `${pen}${x} ${(HEIGHT - 1 - (value / highest) * (HEIGHT - 2)).toFixed(1)}`;
    pen = "L";
  }
  return path;
}

/** One value for each step of the width: [[x, value | null], …]. */
function averaged(values) {
  const sums = new Map();
  const last = values.at(-1)?.[0];
  for (const [time, value] of values) {
    const x = WIDTH - Math.round(((last - time) / SECONDS) * STEPS) * (WIDTH / STEPS);
    if (x < 0) continue;
    const [sum, number] = sums.get(x) ?? [0, 0];
    sums.set(x, value === null ? [sum, number] : [sum + value, number + 1]);
  }
  return [...sums].map(([x, [sum, number]]) => [x, number ? sum / number : null]);
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
