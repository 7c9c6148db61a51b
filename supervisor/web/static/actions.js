/** The buttons of a service: its log, start or stop, restart. */

import { Refused, servicePath } from "./api.js";
import { button, el, setAttribute, setText } from "./dom.js";
import { isActive } from "./state.js";

const SETTLED = new Set(["RUNNING", "STOPPED", "EXITED", "FATAL"]);

const DOING = { start: "Starting…", stop: "Stopping…", restart: "Restarting…" };

export class ServiceActions {
  #log = button("Log");
  #turn = button("Stop");
  #restart = button("Restart");
  #busy = null;
  /** What was asked for and wasn't done when the answer came: {topic, before}. */
  #pending = null;
  #service = null;
  #tools;
  #whose;

  /** `whose()`: {instance, service} of now. */
  constructor({ api, notices, openLog }, whose) {
    this.#tools = { api, notices };
    this.#whose = whose;
    this.node = el("div", { class: "buttons" }, this.#log, this.#turn, this.#restart);
    this.#log.addEventListener("click", () => openLog(whose(), this.#log));
    // One button for start and stop: it keeps the focus when the service has gone from one to the other.
    this.#turn.addEventListener("click", () => this.#do(isActive(this.#service) ? "stop" : "start", this.#turn));
    this.#restart.addEventListener("click", () => this.#do("restart", this.#restart));
  }

  show(service) {
    this.#service = service;
    this.#clearPending();
    const verb = isActive(service) ? "stop" : "start";
    this.#label(this.#turn, verb, service.state === "STOPPING");
    this.#label(this.#restart, "restart", !isActive(service));
    setAttribute(this.#log, "aria-label", `Log of ${service.name}`);
  }

  #label(node, verb, isOff) {
    const isBusy = this.#busy === verb;
    const word = verb[0].toUpperCase() + verb.slice(1);
    setText(node, isBusy ? DOING[verb] : word);
    setAttribute(node, "aria-label", `${isBusy ? DOING[verb] : word} ${this.#service.name}`);
    setAttribute(node, "aria-busy", isBusy);
    // Not `disabled`, which would take the focus away.
    setAttribute(node, "aria-disabled", isOff || this.#busy !== null);
  }

  async #do(verb, node) {
    if (node.getAttribute("aria-disabled") === "true") return;
    const { instance, service } = this.#whose();
    const topic = `${instance.instance_id}/${service.name}`;
    this.#busy = verb;
    this.show(service);
    try {
      const response = await this.#tools.api.request(servicePath(instance, service.name, verb), { method: "POST" });
      this.#tools.notices.clear(topic);
      this.#pending = response.status === 202 ? { topic, before: service } : null;
      if (this.#pending) this.#tellPending(topic, verb, service);
    } catch (failure) {
      this.#tellFailure(topic, verb, service, failure);
    } finally {
      this.#busy = null;
      this.show(this.#service);
    }
  }

  #tellPending(topic, verb, service) {
    const words = { message: "asked for, and not done yet; the page shows when it is." };
    this.#tools.notices.show(topic, `${service.name}, ${verb}:`, words, "plain");
  }

  #clearPending() {
    if (this.#pending === null || !isSettledSince(this.#pending.before, this.#service)) return;
    this.#tools.notices.clear(this.#pending.topic);
    this.#pending = null;
  }

  #tellFailure(topic, verb, service, failure) {
    if (failure instanceof Refused && failure.status === 401) return; // the dialog was cancelled
    const title = `${service.name}, ${verb}:`;
    const words = failure instanceof Refused ? failure : { message: "the server can’t be reached" };
    this.#tools.notices.show(topic, title, words);
  }
}

function isSettledSince(before, service) {
  return SETTLED.has(service.state) && (service.pid !== before.pid || service.state !== before.state);
}
