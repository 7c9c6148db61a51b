/** Wires the page's parts. */

import { Api } from "./api.js";
import { setHidden, setText } from "./dom.js";
import { Filter } from "./filter.js";
import { Instances } from "./instances.js";
import { listen } from "./keys.js";
import { Live } from "./live.js";
import { LogPanel } from "./logs.js";
import { Notices } from "./notices.js";
import { Model } from "./state.js";
import { Summary } from "./summary.js";
import { Timeline } from "./timeline.js";
import { Token } from "./token.js";
import { Trouble } from "./trouble.js";

const byId = (id) => document.getElementById(id);

const model = new Model();
const api = new Api(new Token(byId("token")));
const panel = new LogPanel(byId("log"), { api });
const openLog = (whose, opener) => panel.open(whose, opener);
const instances = new Instances(byId("stacks"), model, { api, notices: new Notices(byId("notices")), openLog });
const summary = new Summary(byId("summary"), byId("empty"));
const trouble = new Trouble(byId("announcer"));
const timeline = new Timeline(byId("events"), byId("timeline-all"), () => draw("events"));

let filter = new Filter("");
let isConnected = false;

const DRAW = {
  view: () => {
    summary.show(model);
    instances.show(filter);
    setHidden(byId("unmatched"), !isUnmatched());
    timeline.show(model, filter);
    setHidden(byId("legend"), model.instances.length === 0);
  },
  usage: () => instances.showUsage(),
  events: () => timeline.show(model, filter),
};

function isUnmatched() {
  const { instances: all } = model;
  return !filter.isEmpty && all.length > 0 && all.every((one) => filter.services(one).length === 0);
}

const waiting = new Set();

/** With the next frame: many messages are drawn at once, and none while nobody sees the page. */
function draw(what) {
  if (waiting.size === 0) requestAnimationFrame(drawAll);
  waiting.add(what);
}

function drawAll() {
  const whats = waiting.has("view") ? ["view"] : [...waiting];
  waiting.clear();
  for (const what of whats) DRAW[what]();
}

function showConnection(connected) {
  if (connected === isConnected) return;
  isConnected = connected;
  setText(byId("connection"), connected ? "live" : "connection lost, retrying…");
  document.body.classList.toggle("lost", !connected);
}

const handlers = {
  view: (view) => {
    trouble.announce(model.applyView(view));
    trouble.show(model.hasTrouble());
    draw("view");
  },
  history: (history) => {
    model.applyHistory(history);
    draw("usage");
  },
  usage: (usage) => {
    model.applyUsage(usage);
    draw("usage");
  },
  events: (events, isFirst) => {
    model.applyEvents(events, isFirst);
    draw("events");
  },
};

byId("filter").addEventListener("input", (event) => {
  filter = new Filter(event.target.value);
  draw("view");
});
listen(byId("filter"), byId("log"), panel);
setInterval(() => isConnected && !document.hidden && instances.tick(), 1000);
new Live("/api/v1/live", handlers, showConnection).start();
