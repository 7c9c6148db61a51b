import assert from "node:assert/strict";
import { test } from "node:test";

import { Filter } from "../../supervisor/web/static/filter.js";
import { duration, memory, percent } from "../../supervisor/web/static/format.js";
import { localUrl } from "../../supervisor/web/static/links.js";
import { curve } from "../../supervisor/web/static/spark.js";
import { isActive, isUp, Model } from "../../supervisor/web/static/state.js";
import { eventLook, eventMessage, instanceLook, isStep, serviceLook } from "../../supervisor/web/static/states.js";
import { cellSymbol, cellText, shortened } from "../../supervisor/web/static/strips.js";

function service(name, more = {}) {
  return { name, state: "RUNNING", port: 6000, shield: "up", exit: null, reason: null, uptime_s: 10, ...more };
}

function instance(number, services, more = {}) {
  return { instance: number, instance_id: `s-${number}-abc`, stack: "s", worktree: "/w", state: "running", services, ...more };
}

function view(...instances) {
  return { instances, strips: [] };
}

test("who fails is told once, and not at the first sight", () => {
  const model = new Model();
  const failed = service("b", { state: "FATAL" });
  assert.deepEqual(model.applyView(view(instance(1, [service("a"), failed]))), []);
  const found = model.applyView(view(instance(1, [service("a", { shield: "lost" }), failed])));
  assert.deepEqual(found.map((one) => one.service.name), ["a"]);
  assert.ok(model.hasTrouble());
  model.applyView(view(instance(1, [service("a"), service("b", { state: "EXITED", exit: "code 0" })])));
  assert.ok(!model.hasTrouble());
  model.applyView(view(instance(1, [], { state: "unreachable" })));
  assert.ok(model.hasTrouble());
});

test("instances stand by stack, worktree and number", () => {
  const model = new Model();
  model.applyView(view(
    instance(10, []), instance(2, []), instance(1, [], { worktree: "/v", instance_id: "s-1-v" }),
    instance(1, [], { stack: "r", instance_id: "r-1" }),
  ));
  assert.deepEqual(
    model.groups().map(({ stack, worktree, instances }) => [stack, worktree, instances.map((one) => one.instance)]),
    [["r", "/w", [1]], ["s", "/v", [1]], ["s", "/w", [2, 10]]],
  );
});

test("uptime goes on between two views", () => {
  let now = 0;
  const model = new Model(() => now);
  const running = service("a");
  model.applyView(view(instance(1, [running])));
  now = 5000;
  assert.equal(model.uptime(running), 15);
  assert.equal(model.uptime(service("a", { uptime_s: null })), null);
});

test("a history is bounded, and forgotten with its service", () => {
  const model = new Model();
  model.applyView(view(instance(1, [service("a")])));
  const one = { instance_id: "s-1-abc", name: "a", cpu: 0.5, memory: 10, processes: 1 };
  for (let time = 0; time < 400; time += 1) model.applyUsage({ time, services: [one] });
  assert.equal(model.points("s-1-abc", "a").length, 300);
  assert.equal(model.usage("s-1-abc", "a").cpu, 0.5);
  model.applyView(view(instance(1, [])));
  assert.deepEqual(model.points("s-1-abc", "a"), []);
});

test("the sample with which a connection begins is in its history already", () => {
  const model = new Model();
  model.applyView(view(instance(1, [service("a")])));
  const one = { instance_id: "s-1-abc", name: "a", cpu: 0.5, memory: 10, processes: 1 };
  model.applyHistory({ services: [{ instance_id: "s-1-abc", name: "a", points: [[1, 0.1, 9], [2, 0.5, 10]] }] });
  model.applyUsage({ time: 2, services: [one] });
  model.applyUsage({ time: 3, services: [one] });
  assert.deepEqual(model.points("s-1-abc", "a").map(([time]) => time), [1, 2, 3]);
});

test("events are told anew on a new connection, and are bounded", () => {
  const model = new Model();
  const some = (count) => ({ events: Array.from({ length: count }, () => ({ event: "unit.spawned" })) });
  model.applyEvents(some(200), true);
  model.applyEvents(some(1));
  assert.equal(model.events.length, 201);
  model.applyEvents(some(200), true);
  assert.equal(model.events.length, 200);
  assert.equal(new Set(model.events.map(({ serial }) => serial)).size, 200);
  for (let index = 0; index < 10; index += 1) model.applyEvents(some(200));
  assert.equal(model.events.length, 1000);
});

test("an instance has its name also after its end, as long as an event is its", () => {
  const model = new Model();
  model.applyView(view(instance(7, [], { instance_id: "odd" }), instance(8, [], { instance_id: "silent" })));
  model.applyEvents({ events: [{ event: "unit.spawned", instance_id: "odd" }] });
  model.applyView(view());
  assert.equal(model.nameOf("odd"), "s 7");
  assert.equal(model.nameOf("silent"), "silent");
  assert.equal(model.nameOf("my-stack-12-0f0f0f"), "my-stack 12");
});

test("only links to this machine are links", () => {
  for (const fine of ["http://127.0.0.1:6000", "http://localhost:1/x", "http://[::1]:80/"]) assert.ok(localUrl(fine));
  for (const bad of [
    "javascript:alert(1)", "https://127.0.0.1:1/", "http://evil.example/", "http://127.0.0.1@evil.example/",
    "http://u@127.0.0.1/", "data:text/html,x", "nonsense", "", null,
  ]) assert.equal(localUrl(bad), null, bad);
});

test("a cell says who has its port", () => {
  assert.equal(cellText({ port: 1, state: "free", who: null }), "1: free");
  assert.equal(cellText({ port: 1, state: "other", who: "s 2 · api" }), "1: taken, s 2 · api");
  assert.equal(cellSymbol({ state: "other", who: "my 3 stack 12 · api" }), "12");
  assert.equal(cellSymbol({ state: "other", who: null }), "•");
  assert.equal(cellSymbol({ state: "foreign", who: "python3 (pid 1)" }), "!");
});

test("in a long pool free neighbours are one cell, and nobody who has a port is hidden", () => {
  const cells = Array.from({ length: 20 }, (_, index) => ({ port: 100 + index, state: "free", who: null }));
  assert.equal(shortened(cells.slice(0, 14)).length, 14);
  cells[0].state = "ours";
  cells[4].state = "foreign";
  const shown = shortened(cells);
  assert.deepEqual(shown.map(({ port }) => port), [100, 101, 102, 103, 104, 105]);
  assert.equal(cellText(shown.at(-1)), "105–119: 15 free");
  assert.equal(cellSymbol(shown.at(-1)), "+15");
});

test("a curve ends at the right, is scaled to its highest, and breaks where nothing is known", () => {
  assert.equal(curve([], 1), "");
  assert.equal(curve([[0, 0], [300, 2]], 1), "M0 15.0L60 1.0");
  assert.equal(curve([[0, 1], [100, null], [200, 1]], 2), "M20 8.0M60 8.0");
  assert.equal(curve([[0, 9], [1000, 1]], 1), "M60 1.0");
});

test("the filter wants every word", () => {
  const services = [service("api"), service("web", { state: "FATAL" })];
  const names = (text) => new Filter(text).services(instance(2, services)).map(({ name }) => name);
  assert.deepEqual(names(" "), ["api", "web"]);
  assert.deepEqual(names("fatal"), ["web"]);
  assert.deepEqual(names("/W API"), ["api"]);
  assert.deepEqual(names("instance 2 api"), ["api"]);
  assert.deepEqual(names("nothing"), []);
});

test("claims, spawns, ready and exits are steps, other details aren't", () => {
  const steps = ["instance.claimed", "unit.spawned", "unit.running", "unit.exited"];
  for (const event of steps) assert.ok(isStep({ event, level: "debug", message: "ended with code 0" }), event);
  assert.ok(!isStep({ event: "unit.pending", level: "debug", message: "PENDING" }));
  assert.ok(!isStep({ event: "unit.exited", level: "info", message: "EXITED: ended with code 0" }));
  assert.deepEqual(eventLook({ event: "unit.new_kind", level: "error" }), ["✖", "new kind", "bad"]);
});

test("an entry doesn't say its state twice", () => {
  const said = (event, message) => eventMessage({ event, message });
  assert.equal(said("unit.running", "RUNNING on http://127.0.0.1:1"), "on http://127.0.0.1:1");
  assert.equal(said("unit.fatal", "FATAL: code 1"), "code 1");
  assert.equal(said("unit.stopped", "STOPPED"), "");
  assert.equal(said("unit.exited", "ended with code 0"), "ended with code 0");
  assert.equal(said("instance.ready", "READY: all"), "READY: all");
});

test("numbers as people read them", () => {
  assert.deepEqual([0, 59.9, 60, 3599, 3600, 86_399, 90_000].map(duration), [
    "0s", "59s", "1m 00s", "59m 59s", "1h 00m", "23h 59m", "1d 1h",
  ]);
  assert.deepEqual([0, 1 << 20, 1e9, 150e9].map(memory), ["0.0 KiB", "1.0 MiB", "954 MiB", "140 GiB"]);
  assert.deepEqual([0, 0.034, 2.5].map(percent), ["0.0 %", "3.4 %", "250 %"]);
});

test("a job that is done counts as up, and what is active can be stopped", () => {
  const exits = (state) => ["code 0", "code 1"].map((exit) => isUp({ state, exit }));
  assert.deepEqual(["RUNNING", "EXITED", "STOPPED"].map(exits), [[true, true], [true, false], [false, false]]);
  assert.deepEqual(
    ["PENDING", "STARTING", "RUNNING", "BACKOFF", "STOPPING", "STOPPED", "EXITED", "FATAL"].map((state) => isActive({ state })),
    [true, true, true, true, false, false, false, false],
  );
});

test("a state or an event may be called as what every object has", () => {
  for (const name of ["constructor", "toString", "__proto__"]) {
    assert.deepEqual(serviceLook({ state: name, exit: null }), ["?", "warn"]);
    assert.deepEqual(instanceLook(name), ["?", "warn"]);
    assert.deepEqual(eventLook({ event: name, level: "error" }), ["✖", name.replaceAll("_", " "), "bad"]);
    assert.ok(!isStep({ event: name, level: "debug", message: "" }));
  }
});
