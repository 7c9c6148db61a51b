/** One service as a row of its instance's table; on a narrow screen as a card. */

import { ServiceActions } from "./actions.js";
import { el, setAttribute, setText } from "./dom.js";
import { duration, memory, percent } from "./format.js";
import { localUrl } from "./links.js";
import { Spark } from "./spark.js";
import { isActive } from "./state.js";
import { serviceLook } from "./states.js";
import { Strips } from "./strips.js";

export const COLUMNS = ["Service", "State", "Port", "Pool", "Shield", "Restarts", "Uptime", "CPU", "Memory", ""];

const CPU_FLOOR = 0.1;
const MEMORY_FLOOR = 16 * 1024 * 1024;

function cell(name, label, ...children) {
  return el("td", { role: "cell", class: name, "data-label": label }, ...children);
}

export class ServiceRow {
  #name = el("th", { role: "rowheader", scope: "row", class: "name" });
  #symbol = el("span", { class: "symbol", "aria-hidden": "true" });
  #word = el("span", { class: "word" });
  #state = cell("state", null, this.#symbol, this.#word);
  #port = cell("port", "port");
  #link = null;
  #strips = new Strips();
  #shield = cell("shield", "shield");
  #restarts = cell("restarts", "restarts");
  #uptime = cell("uptime", "uptime");
  #cpu = el("span", { class: "number" });
  #cpuCurve = new Spark(CPU_FLOOR);
  #cpuCell = cell("cpu", "CPU", this.#cpu, this.#cpuCurve.node);
  #memory = el("span", { class: "number" });
  #memoryCurve = new Spark(MEMORY_FLOOR);
  #memoryCell = cell("memory", "memory", this.#memory, this.#memoryCurve.node);
  #service = null;
  #instance = null;
  #told = "";

  /** `tools`: {api, notices, openLog}. */
  constructor(tools) {
    this.actions = new ServiceActions(tools, () => ({ instance: this.#instance, service: this.#service }));
    this.node = el(
      "tr",
      { role: "row", class: "service" },
      this.#name,
      this.#state,
      this.#port,
      cell("pool-cell", "pool", this.#strips.node),
      this.#shield,
      this.#restarts,
      this.#uptime,
      this.#cpuCell,
      this.#memoryCell,
      cell("actions", null, this.actions.node),
    );
  }

  show(instance, service, strips) {
    this.#instance = instance;
    this.#service = service;
    const told = JSON.stringify([{ ...service, uptime_s: null }, strips]);
    if (told === this.#told) return;
    this.#told = told;
    setText(this.#name, service.name);
    this.#showState(service);
    this.#showPort(service);
    this.#strips.show(strips);
    setText(this.#shield, service.shield === "none" ? "–" : service.shield);
    setAttribute(this.#shield, "data-shield", service.shield);
    setText(this.#restarts, String(service.restarts));
    setAttribute(this.#restarts, "title", service.exit === null ? null : `last end: ${service.exit}`);
    setAttribute(this.#restarts, "data-some", service.restarts > 0);
    this.actions.show(service);
  }

  #showState(service) {
    const [symbol, look] = serviceLook(service);
    setAttribute(this.node, "data-look", look);
    setText(this.#symbol, symbol);
    setText(this.#word, service.state.toLowerCase());
    setAttribute(this.#state, "title", service.pid === null ? null : `pid ${service.pid}`);
  }

  #showPort({ port, url }) {
    const href = port === null ? null : localUrl(url);
    if (href === null) {
      this.#link = null;
      setText(this.#port, port === null ? "–" : String(port));
      return;
    }
    if (this.#link === null) {
      this.#link = el("a", { target: "_blank", rel: "noopener noreferrer" });
      this.#port.replaceChildren(this.#link);
    }
    setAttribute(this.#link, "href", href);
    setText(this.#link, String(port));
  }

  /** `seconds` may be null. */
  showUptime(seconds) {
    setText(this.#uptime, seconds === null || !isActive(this.#service) ? "–" : duration(seconds));
  }

  showUsage(usage, points) {
    setText(this.#cpu, usage === null || usage.cpu === null ? "–" : percent(usage.cpu));
    setText(this.#memory, usage === null ? "–" : memory(usage.memory));
    this.#cpuCurve.show(points.map(([time, cpu]) => [time, cpu]));
    this.#memoryCurve.show(points.map(([time, , bytes]) => [time, bytes]));
    setAttribute(this.#cpuCell, "title", usage === null ? null : highest(points));
    setAttribute(this.#memoryCell, "title", usage === null ? null : `${usage.processes} processes`);
  }
}

function highest(points) {
  const most = Math.max(0, ...points.map(([, cpu]) => cpu ?? 0));
  return `share of one core; at most ${percent(most)} in the last five minutes`;
}

/** Why a service is as it is, where that isn't plain: a row of its own below it. */
export class ReasonRow {
  #text = el("span");

  constructor() {
    const wide = el("td", { role: "cell", colspan: COLUMNS.length }, this.#text);
    this.node = el("tr", { role: "row", class: "reason" }, wide);
  }

  show(service) {
    setAttribute(this.node, "data-look", serviceLook(service)[1]);
    setText(this.#text, reasonOf(service));
  }
}

/** null where there is nothing to say. Pure. */
export function reasonOf({ state, reason, exit }) {
  if (reason) return reason;
  return exit !== null && exit !== "code 0" && state !== "RUNNING" ? `ended with ${exit}` : null;
}
