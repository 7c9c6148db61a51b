import assert from "node:assert/strict";
import { test } from "node:test";

import { PLAIN, plain, segments } from "../../supervisor/web/static/ansi.js";
import { contrast, readable, rgb } from "../../supervisor/web/static/colours.js";
import { split } from "../../supervisor/web/static/log_row.js";

const ESC = "\x1b";

function styles(line) {
  return segments(line).map(({ text, style }) => [text, Object.fromEntries(Object.entries(style).filter(([, value]) => value || value === 0))]);
}

test("a line without codes is one plain piece", () => {
  assert.deepEqual(segments("hello\tworld"), [{ text: "hello\tworld", style: PLAIN }]);
  assert.equal(segments("x")[0].style, PLAIN);
});

test("the sixteen colours, and what ends them", () => {
  const line = `${ESC}[31mred${ESC}[0m plain ${ESC}[1;92mgreen${ESC}[39mbold${ESC}[22m${ESC}[44mon blue${ESC}[m end`;
  assert.deepEqual(styles(line), [
    ["red", { fg: 1 }], [" plain ", {}], ["green", { fg: 10, bold: true }], ["bold", { bold: true }],
    ["on blue", { bg: 4 }], [" end", {}],
  ]);
});

test("256 colours and all colours, with semicolons and with colons", () => {
  for (const [code, style] of [
    ["38;5;208", { fg: 208 }], ["38:5:208", { fg: 208 }], ["48;2;1;2;3", { bg: [1, 2, 3] }],
    ["38:2:1:2:3", { fg: [1, 2, 3] }], ["38:2::1:2:3", { fg: [1, 2, 3] }], ["38;5;208;1", { fg: 208, bold: true }],
    ["4:3", { underline: true }], ["38;5;300", {}], ["38;2;1", {}], ["38", {}], ["?25", {}], ["38;5;0", { fg: 0 }],
  ]) {
    assert.deepEqual(styles(`${ESC}[${code}mx`), [["x", style]], code);
  }
});

test("all other codes are dropped, whole or torn", () => {
  const line =
    `a${ESC}[2Kb${ESC}]0;title\x07c${ESC}]8;;http://x${ESC}\\d${ESC}(Be\x00\x08\x7f\x9bf${ESC}[?25lg\rh${ESC}[1`;
  assert.equal(plain(line), "abcdefgh");
  assert.deepEqual(segments(line).map(({ text }) => text).join(""), plain(line));
});

test("a million codes take no time to speak of", () => {
  const started = performance.now();
  segments(`${ESC}[`.repeat(30_000));
  segments(`${ESC}]`.repeat(30_000));
  segments(`${ESC}[31mx`.repeat(10_000));
  assert.ok(performance.now() - started < 2000);
});

test("every colour becomes readable on either ground", () => {
  for (const ground of [[251, 251, 250], [22, 24, 27], [128, 128, 128]]) {
    for (let colour = 0; colour < 256; colour += 1) {
      assert.ok(contrast(readable(rgb(colour), ground), ground) >= 4.5, `${colour} on ${ground}`);
    }
  }
  assert.deepEqual(readable([0, 0, 0], [255, 255, 255]), [0, 0, 0]);
});

test("a piece is cut where a match begins and ends, also one that spans pieces", () => {
  assert.deepEqual(split("abcdef", 0, [[1, 3], [5, 9]]), [["a", false], ["bc", true], ["de", false], ["f", true]]);
  assert.deepEqual(split("ghi", 6, [[5, 9]]), [["ghi", true]]);
  assert.deepEqual(split("abc", 0, []), [["abc", false]]);
});
