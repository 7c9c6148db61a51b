/**
 * How states are shown: by a symbol (that of `portsup top`) and a word, never by colour alone. The tables have no
 * prototype: a state or an event may be called anything, "constructor" too.
 */

import { isFailed } from "./state.js";

const SERVICE = {
  __proto__: null,
  PENDING: ["○", "waiting"],
  STARTING: ["◐", "moving"],
  RUNNING: ["●", "good"],
  BACKOFF: ["↻", "warn"],
  STOPPING: ["◑", "moving"],
  STOPPED: ["◌", "rest"],
  EXITED: ["◎", "rest"],
  FATAL: ["✖", "bad"],
};

const INSTANCE = {
  __proto__: null,
  starting: ["◐", "moving"],
  running: ["●", "good"],
  degraded: ["✖", "bad"],
  stopping: ["◑", "moving"],
  suspended: ["‖", "bad"],
  dead: ["✖", "bad"],
  unreachable: ["?", "bad"],
};

const UNKNOWN = ["?", "warn"];

/** [symbol, class]. */
export function serviceLook(service) {
  if (isFailed(service)) return SERVICE.FATAL;
  return SERVICE[service.state] ?? UNKNOWN;
}

export function instanceLook(state) {
  return INSTANCE[state] ?? UNKNOWN;
}

const EVENT = {
  __proto__: null,
  "instance.claimed": ["◆", "claimed", "plain"],
  "instance.ready": ["●", "all ready", "good"],
  "unit.spawned": ["▸", "spawned", "plain"],
  "unit.running": ["●", "ready", "good"],
  "unit.exited": ["◂", "exited", "plain"],
  "unit.fatal": ["✖", "failed", "bad"],
  "unit.backoff": ["↻", "backoff", "warn"],
  "unit.shield_lost": ["✖", "shield lost", "bad"],
  "unit.stopped": ["◌", "stopped", "rest"],
};

const BY_LEVEL = { error: ["✖", "bad"], warning: ["▲", "warn"] };

/** [symbol, word, class] of an entry of the timeline. */
export function eventLook({ event, level }) {
  if (event in EVENT) return EVENT[event];
  const word = event.slice(event.indexOf(".") + 1).replaceAll("_", " ");
  const [symbol, look] = BY_LEVEL[level] ?? ["·", "plain"];
  return [symbol, word, look];
}

/**
 * What belongs into the timeline: each claim, spawn, ready and exit, and whatever is more than a detail. That a
 * service became EXITED isn't: its process's exit has just been told.
 */
export function isStep({ event, level, message }) {
  if (event === "unit.exited") return !message.startsWith("EXITED");
  return level !== "debug" || event in EVENT;
}

/** What an entry says beyond its word: the state that it begins with has been told. */
export function eventMessage({ event, message }) {
  const state = event.slice(event.indexOf(".") + 1).toUpperCase();
  const isTold = event.startsWith("unit.") && message.startsWith(state);
  return isTold ? message.slice(state.length).replace(/^:? /, "") : message;
}
