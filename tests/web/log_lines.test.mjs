import assert from "node:assert/strict";
import { test } from "node:test";

import { LogLines, Search } from "../../supervisor/web/static/log_lines.js";
import { EventParser } from "../../supervisor/web/static/sse.js";
import { isAtEnd, scrollTo, visibleRows } from "../../supervisor/web/static/window.js";

function lines(...texts) {
  return texts.map((text) => ({ time: null, text }));
}

function numbered(from, to) {
  return Array.from({ length: to - from }, (_, index) => ({ time: index, text: `line ${from + index}` }));
}

function searched(kept, text) {
  const search = new Search(kept, text);
  while (!search.step());
  return search;
}

test("the oldest lines go, and the others keep their numbers", () => {
  const kept = new LogLines(100, 10);
  assert.equal(kept.push(numbered(0, 100)), 0);
  assert.equal(kept.push(numbered(100, 101)), 10);
  assert.deepEqual([kept.first, kept.end, kept.count, kept.dropped], [10, 101, 91, 10]);
  assert.equal(kept.at(10).text, "line 10");
  assert.equal(kept.at(9), undefined);
  kept.push(numbered(101, 1001));
  assert.deepEqual([kept.count, kept.at(kept.end - 1).text], [100, "line 1000"]);
  kept.clear();
  assert.deepEqual([kept.first, kept.end, kept.dropped], [1001, 1001, 0]);
});

test("small letters find capitals too, a capital itself alone, colours hide nothing", () => {
  const kept = new LogLines();
  kept.push(lines("an Error", "an error", "\x1b[31mer\x1b[0mror", "fine"));
  assert.deepEqual(searched(kept, "error").hits, [0, 1, 2]);
  assert.deepEqual(searched(kept, "Error").hits, [0]);
  assert.deepEqual(searched(kept, "r").ranges("error"), [[1, 2], [2, 3], [4, 5]]);
});

test("a search goes on with lines that come, and forgets those that go", () => {
  const kept = new LogLines(100, 50);
  kept.push(numbered(0, 100));
  const search = searched(kept, "line");
  assert.equal(search.hits.length, 100);
  kept.push(numbered(100, 110));
  assert.ok(search.step());
  assert.deepEqual([search.hits.length, search.hits[0], search.hits.at(-1)], [60, 50, 109]);
  assert.deepEqual([search.indexFrom(0), search.indexFrom(51), search.indexFrom(1000)], [0, 1, 60]);
});

test("no stretch of a search is long", () => {
  const kept = new LogLines();
  kept.push(numbered(0, 100_000));
  const search = new Search(kept, "9");
  let clock = 0;
  const tick = () => (clock += 1);
  assert.equal(search.step(tick), false);
  let steps = 1;
  while (!search.step(tick)) steps += 1;
  assert.ok(steps > 10);
  assert.equal(search.hits.length, 40_951);
});

test("only what can be seen exists, at both ends of the list", () => {
  assert.deepEqual(visibleRows(0, 180, 18, 100_000), [0, 20]);
  assert.deepEqual(visibleRows(1800, 180, 18, 100_000), [90, 120]);
  assert.deepEqual(visibleRows(18 * 99_990, 180, 18, 100_000), [99_980, 100_000]);
  assert.deepEqual(visibleRows(500, 180, 18, 3), [3, 3]);
  assert.deepEqual(visibleRows(0, 180, 18, 0), [0, 0]);
});

test("the end, and where to scroll", () => {
  assert.ok(isAtEnd(820, 180, 1000, 18));
  assert.ok(isAtEnd(812, 180, 1000, 18));
  assert.ok(!isAtEnd(800, 180, 1000, 18));
  assert.equal(scrollTo(5, 0, 180, 18), 0);
  assert.equal(scrollTo(100, 0, 180, 18), 1719);
  assert.equal(scrollTo(0, 500, 180, 18), 0);
});

test("events come whole, wherever the pieces are cut", () => {
  const stream = "retry: 1000\n\nevent: lines\ndata: {\"a\":\ndata: 1}\n\n: nothing\n\ndata: x\n\nevent: torn\ndata: y";
  for (let size = 1; size < stream.length; size += 1) {
    const seen = [];
    const parser = new EventParser((name, data) => seen.push([name, data]));
    for (let at = 0; at < stream.length; at += size) parser.push(stream.slice(at, at + size));
    assert.deepEqual(seen, [["lines", "{\"a\":\n1}"], ["message", "x"]]);
  }
});
