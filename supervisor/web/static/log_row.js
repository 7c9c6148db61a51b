/** One line of a log as an element: its time, its colours, and where the search has found something. */

import { PLAIN, segments } from "./ansi.js";
import { css, readable, rgb } from "./colours.js";
import { el } from "./dom.js";
import { clockMs } from "./format.js";

/** Letters; of a longer line the rest isn't drawn. */
const DRAWN = 10_000;

const FLAGS = ["bold", "dim", "italic", "underline", "strike"];

/** `ranges`: where the search has found it. `ground`: the log's own background, as [r, g, b]. */
export function makeRow(line, ranges, ground) {
  const time = el("span", { class: "time" }, line.time === null ? "" : clockMs(line.time));
  const text = el("span", { class: "text" });
  let at = 0;
  for (const segment of segments(line.text)) {
    if (at > DRAWN) break;
    const shown = segment.text.slice(0, DRAWN - at);
    for (const [part, isHit] of split(shown, at, ranges)) text.append(makePart(part, isHit, segment.style, ground));
    at += segment.text.length;
  }
  if (line.plain.length > DRAWN) text.append(el("span", { class: "cut" }, ` … ${line.plain.length - DRAWN} more`));
  return el("div", { class: "line" }, time, text);
}

/** A text that begins at `at` of its line, cut where the ranges begin and end: [[text, isHit], …]. Pure. */
export function split(text, at, ranges) {
  const parts = [];
  let done = 0;
  for (const [start, end] of ranges) {
    const [from, to] = [Math.max(start - at, done), Math.min(end - at, text.length)];
    if (to <= from) continue;
    if (from > done) parts.push([text.slice(done, from), false]);
    parts.push([text.slice(from, to), true]);
    done = to;
  }
  if (done < text.length) parts.push([text.slice(done), false]);
  return parts;
}

function makePart(text, isHit, style, ground) {
  if (style === PLAIN && !isHit) return document.createTextNode(text);
  const classes = FLAGS.filter((name) => style[name]);
  if (isHit) return el("mark", { class: classes.join(" ") || null }, text);
  const part = el("span", {}, text);
  paint(part, classes, style.inverse ? inverse(style, ground) : style, ground);
  if (classes.length) part.className = classes.join(" ");
  return part;
}

function inverse({ fg, bg, ...rest }, ground) {
  return { ...rest, bg: fg ?? readable([128, 128, 128], ground), fg: bg ?? ground };
}

/** The sixteen colours are the theme's; all others, and whatever stands on a colour, are made readable. */
function paint(part, classes, { fg, bg }, ground) {
  if (bg === null || bg === undefined) {
    if (typeof fg === "number" && fg < 16) classes.push(`c${fg}`);
    else if (fg !== null && fg !== undefined) part.style.color = css(readable(rgb(fg), ground));
    return;
  }
  part.style.backgroundColor = css(rgb(bg));
  part.style.color = css(readable(rgb(fg ?? 15), rgb(bg)));
}
