/** Every instance, grouped by stack and worktree: a table for each group, a body in it for each instance. */

import { el, Keyed, setAttribute, setHidden, setText } from "./dom.js";
import { count } from "./format.js";
import { recall, remember } from "./memory.js";
import { COLUMNS, ReasonRow, reasonOf, ServiceRow } from "./service_row.js";
import { isTrouble } from "./state.js";
import { instanceLook } from "./states.js";

const COLLAPSED = "portsup.collapsed";

class Instance {
  #symbol = el("span", { class: "symbol", "aria-hidden": "true" });
  #state = el("span", { class: "word" });
  #title = el("span", { class: "title" });
  #facts = el("span", { class: "facts" });
  #head = el("tr", { role: "row", class: "instance" });
  #rows;
  #shown = [];
  isVisible = false;

  constructor(tools) {
    this.#head.append(
      el(
        "th",
        { role: "rowheader", scope: "rowgroup", colspan: COLUMNS.length },
        this.#symbol, this.#title, this.#state, this.#facts,
      ),
    );
    this.node = el("tbody", { role: "rowgroup" });
    this.#rows = new Keyed(this.node, (_key, { kind }) => this.#makeRow(kind, tools));
    this.observer = tools.observer;
    this.observer.watch(this);
  }

  #makeRow(kind, tools) {
    if (kind === "head") return { node: this.#head };
    return kind === "reason" ? new ReasonRow() : new ServiceRow(tools);
  }

  removed() {
    this.observer.forget(this);
  }

  /** `services`: those that the filter lets through. */
  show(instance, services, model) {
    const [symbol, look] = instanceLook(instance.state);
    setAttribute(this.#head, "data-look", look);
    setText(this.#symbol, symbol);
    setText(this.#title, `instance ${instance.instance}`);
    setText(this.#state, instance.state);
    setText(this.#facts, `base port ${instance.base_port} · pid ${instance.supervisor.pid}`);
    setAttribute(this.node, "aria-label", `${instance.stack}, instance ${instance.instance}`);
    this.#shown = services.map((service) => ({ instance, service }));
    this.#rows.show(services.reduce(withReason, [["head", { kind: "head" }]]), (part, { kind, service }) => {
      if (kind === "service") {
        part.show(instance, service, model.strips(instance.instance_id, service.name));
      } else if (kind === "reason") {
        part.show(service);
      }
    });
    if (this.isVisible) this.showNumbers(model);
  }

  showNumbers(model) {
    this.tick(model);
    this.showUsage(model);
  }

  tick(model) {
    for (const { service } of this.#shown) this.#row(service).showUptime(model.uptime(service));
  }

  showUsage(model) {
    for (const { instance, service } of this.#shown) {
      const whose = [instance.instance_id, service.name];
      this.#row(service).showUsage(model.usage(...whose), model.points(...whose));
    }
  }

  #row(service) {
    return this.#rows.get(`service ${service.name}`);
  }
}

function withReason(rows, service) {
  rows.push([`service ${service.name}`, { kind: "service", service }]);
  if (reasonOf(service) !== null) rows.push([`reason ${service.name}`, { kind: "reason", service }]);
  return rows;
}

function tableHead() {
  const cells = COLUMNS.map((name) =>
    el("th", { role: "columnheader", scope: "col", class: name.toLowerCase() || "actions" },
      name || el("span", { class: "sr" }, "Actions")),
  );
  return el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...cells));
}

class Group {
  #stack = el("h2");
  #worktree = el("span", { class: "worktree" });
  #facts = el("span", { class: "facts" });
  #table = el("table", { role: "table" }, tableHead());
  #instances;

  constructor(key, tools) {
    const summary = el("summary", {}, this.#stack, this.#worktree, this.#facts);
    this.node = el("details", { class: "stack" }, summary, this.#table);
    this.node.open = !recall(COLLAPSED, []).includes(key);
    this.node.addEventListener("toggle", () => rememberCollapsed(key, !this.node.open));
    this.#instances = new Keyed(this.#table, () => new Instance(tools), this.#table.tHead);
  }

  show({ stack, worktree, instances }, filter, model) {
    setText(this.#stack, stack);
    setText(this.#worktree, worktree ?? "");
    setAttribute(this.#table, "aria-label", worktree ? `${stack} in ${worktree}` : stack);
    setText(this.#facts, facts(instances));
    const shown = instances.map((one) => [one, filter.services(one)]).filter(([, services]) => services.length);
    const bare = filter.isEmpty ? instances.map((one) => [one, one.services]) : shown;
    setHidden(this.node, bare.length === 0);
    this.#instances.show(
      bare.map(([one, services]) => [one.instance_id, { one, services }]),
      (part, { one, services }) => part.show(one, services, model),
    );
  }

  instances() {
    return this.node.open ? [...this.#instances.values()] : [];
  }
}

function facts(instances) {
  const troubles = instances.flatMap((one) => one.services).filter(isTrouble).length;
  const many = count(instances.length, "instance");
  return troubles ? `${many} · ✖ ${troubles} in trouble` : many;
}

function rememberCollapsed(key, isCollapsed) {
  const others = recall(COLLAPSED, []).filter((one) => one !== key);
  remember(COLLAPSED, isCollapsed ? [...others, key].slice(-200) : others);
}

/** Which instances are on the screen: only their numbers and curves are brought up to date each second. */
class Observer {
  #parts = new Map();
  #observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const part = this.#parts.get(target);
      if (part === undefined) continue;
      part.isVisible = isIntersecting;
      if (isIntersecting) this.appeared(part);
    }
  }, { rootMargin: "200px" });

  /** `appeared(part)` is called when one comes into view. */
  constructor(appeared) {
    this.appeared = appeared;
  }

  watch(part) {
    this.#parts.set(part.node, part);
    this.#observer.observe(part.node);
  }

  forget(part) {
    this.#parts.delete(part.node);
    this.#observer.unobserve(part.node);
  }
}

export class Instances {
  #groups;
  #model;

  constructor(parent, model, tools) {
    this.#model = model;
    const observer = new Observer((part) => part.showNumbers(model));
    this.#groups = new Keyed(parent, (key) => new Group(key, { ...tools, observer }));
  }

  show(filter) {
    this.#groups.show(
      this.#model.groups().map((group) => [group.key, group]),
      (part, group) => part.show(group, filter, this.#model),
    );
  }

  /** Once a second. */
  tick() {
    for (const part of this.#visible()) part.tick(this.#model);
  }

  showUsage() {
    for (const part of this.#visible()) part.showUsage(this.#model);
  }

  #visible() {
    return [...this.#groups.values()].flatMap((group) => group.instances()).filter((part) => part.isVisible);
  }
}
