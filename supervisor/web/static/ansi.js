/** Lines with a terminal's control codes: colours are kept, all other codes dropped. Pure. */

const CODES =
  // CSI (colours among them); OSC, DCS, SOS, PM and APC with their ends; other escapes; single control codes.
  /\x1b\[([0-?]*)[ -/]*([@-~])?|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?|[\x00-\x08\x0a-\x1f\x7f-\x9f]/g;

/** The text alone. */
export function plain(line) {
  return hasCodes(line) ? line.replace(CODES, "") : line;
}

function hasCodes(line) {
  CODES.lastIndex = 0;
  return CODES.test(line);
}

/** [{text, style}, …]; style is {fg, bg, bold, dim, italic, underline, strike, inverse}, a colour null, 0-255 or [r, g, b]. */
export function segments(line) {
  const found = [];
  let style = PLAIN;
  let start = 0;
  CODES.lastIndex = 0;
  for (const match of line.matchAll(CODES)) {
    add(found, line.slice(start, match.index), style);
    start = match.index + match[0].length;
    if (match[2] === "m") style = restyled(style, match[1]);
  }
  add(found, line.slice(start), style);
  return found;
}

export const PLAIN = Object.freeze({ fg: null, bg: null });

function add(found, text, style) {
  if (text === "") return;
  const last = found.at(-1);
  if (last?.style === style) last.text += text;
  else found.push({ text, style });
}

const ON = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike" };
const OFF = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 27: ["inverse"], 29: ["strike"] };

function restyled(before, parameters) {
  const codes = parameters.split(";").flatMap(numbers);
  let style = before;
  while (codes.length) style = { ...style, ...changed(codes.shift(), codes) };
  return Object.keys(style).every((name) => !style[name] && style[name] !== 0) ? PLAIN : style;
}

/** Some programs separate the parts of one colour by colons: 38:5:N, 38:2:R:G:B or 38:2:SPACE:R:G:B; 4:3 is a wave. */
function numbers(parameter) {
  const parts = parameter.split(":").map((code) => (code === "" ? 0 : Number(code)));
  if (parts[0] !== 38 && parts[0] !== 48) return [parts[0] === 4 && parts[1] === 0 ? 24 : parts[0]];
  if (parts.length > 5) parts.splice(2, 1);
  return parts;
}

const ALL_OFF = {
  fg: null, bg: null, bold: false, dim: false, italic: false, underline: false, inverse: false, strike: false,
};

function changed(code, rest) {
  if (code === 0) return ALL_OFF;
  if (code in ON) return { [ON[code]]: true };
  if (code in OFF) return Object.fromEntries(OFF[code].map((name) => [name, false]));
  if (code === 38 || code === 48) return extended(code === 38 ? "fg" : "bg", rest);
  if (code === 39) return { fg: null };
  if (code === 49) return { bg: null };
  return sixteen(code);
}

function sixteen(code) {
  if (code >= 30 && code <= 37) return { fg: code - 30 };
  if (code >= 40 && code <= 47) return { bg: code - 40 };
  if (code >= 90 && code <= 97) return { fg: code - 82 };
  if (code >= 100 && code <= 107) return { bg: code - 92 };
  return {};
}

/** 5;N or 2;R;G;B. */
function extended(which, rest) {
  const kind = rest.shift();
  const length = { 5: 1, 2: 3 }[kind] ?? 0;
  const parts = rest.splice(0, length);
  const isFine = length > 0 && parts.length === length && parts.every((part) => part >= 0 && part <= 255);
  if (!isFine) return {};
  return { [which]: kind === 5 ? parts[0] : parts };
}
