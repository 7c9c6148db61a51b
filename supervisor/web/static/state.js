/** What the page knows of the machine. Holds no element, asks nobody; the newest view is the truth. */

const KEPT_POINTS = 300;
const KEPT_EVENTS = 1000;

const TROUBLED_INSTANCE = new Set(["degraded", "suspended", "dead", "unreachable"]);

function serviceKey(instanceId, name) {
  return `${instanceId}/${name}`;
}

/** Whether somebody should look at this service. */
export function isTrouble(service) {
  return isFailed(service) || service.shield === "lost";
}

/** Whether it is over, and not well. */
export function isFailed({ state, exit }) {
  return state === "FATAL" || (state === "EXITED" && exit !== null && exit !== "code 0");
}

/** Whether it runs, or did what it was to do: as `portsup ps` and `portsup top` count. */
export function isUp({ state, exit }) {
  return state === "RUNNING" || (state === "EXITED" && exit === "code 0");
}

/** Whether it runs, or is on its way there. */
export function isActive(service) {
  return !["STOPPED", "EXITED", "FATAL", "STOPPING"].includes(service.state);
}

export class Model {
  /** Milliseconds, as performance.now() counts them. */
  #now;
  instances = [];
  events = [];
  hasView = false;
  #received = 0;
  #strips = new Map();
  #usage = new Map();
  #points = new Map();
  #names = new Map();
  #serial = 0;

  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** Returns the services that are in trouble and weren't before, as {instance, service}. */
  applyView(view) {
    const before = new Set(this.troubles().map(({ instance, service }) => keyOf(instance, service)));
    this.instances = [...view.instances].sort(byPlace);
    this.#received = this.#now();
    this.#strips = groupStrips(view.strips);
    for (const one of this.instances) this.#names.set(one.instance_id, `${one.stack} ${one.instance}`);
    this.#forget();
    const first = !this.hasView;
    this.hasView = true;
    return first ? [] : this.troubles().filter(({ instance, service }) => !before.has(keyOf(instance, service)));
  }

  applyHistory({ services }) {
    for (const { instance_id, name, points } of services) {
      this.#points.set(serviceKey(instance_id, name), points.slice(-KEPT_POINTS));
    }
  }

  applyUsage({ time, services }) {
    this.#usage = new Map(services.map((one) => [serviceKey(one.instance_id, one.name), one]));
    for (const [key, { cpu, memory }] of this.#usage) {
      const points = this.#points.get(key) ?? [];
      if (points.at(-1)?.[0] === time) continue; // a connection begins with the sample that is its history's last
      points.push([time, cpu, memory]);
      if (points.length > KEPT_POINTS) points.splice(0, points.length - KEPT_POINTS);
      this.#points.set(key, points);
    }
  }

  /** `afresh`: a new connection tells the last ones again. */
  applyEvents({ events }, afresh = false) {
    if (afresh) this.events = [];
    for (const event of events) this.events.push({ ...event, serial: this.#serial++ });
    if (this.events.length > KEPT_EVENTS) this.events.splice(0, this.events.length - KEPT_EVENTS);
  }

  /** Instances by stack and worktree: [{key, stack, worktree, instances}]. */
  groups() {
    const groups = new Map();
    for (const instance of this.instances) {
      const key = JSON.stringify([instance.stack, instance.worktree]);
      const { stack, worktree } = instance;
      if (!groups.has(key)) groups.set(key, { key, stack, worktree, instances: [] });
      groups.get(key).instances.push(instance);
    }
    return [...groups.values()];
  }

  /** Every service, as {instance, service}. */
  services() {
    return this.instances.flatMap((instance) => instance.services.map((service) => ({ instance, service })));
  }

  troubles() {
    return this.services().filter(({ service }) => isTrouble(service));
  }

  hasTrouble() {
    return this.troubles().length > 0 || this.instances.some(({ state }) => TROUBLED_INSTANCE.has(state));
  }

  /** Seconds, now; null while nothing runs. */
  uptime(service) {
    if (service.uptime_s === null) return null;
    return service.uptime_s + (this.#now() - this.#received) / 1000;
  }

  usage(instanceId, name) {
    return this.#usage.get(serviceKey(instanceId, name)) ?? null;
  }

  /** [[time, cpu | null, memory], …], oldest first. */
  points(instanceId, name) {
    return this.#points.get(serviceKey(instanceId, name)) ?? [];
  }

  strips(instanceId, name) {
    return this.#strips.get(serviceKey(instanceId, name)) ?? [];
  }

  /** How people call an instance, also after its end. */
  nameOf(instanceId) {
    return this.#names.get(instanceId) ?? instanceId.replace(/-(\d+)-[^-]+$/, " $1");
  }

  /** Curves of services that are no more, and names of instances that nothing here speaks of. */
  #forget() {
    keepOnly(this.#points, this.services().map(({ instance, service }) => keyOf(instance, service)));
    keepOnly(this.#names, [...this.instances, ...this.events].map((one) => one.instance_id));
  }
}

function keepOnly(map, keys) {
  const kept = new Set(keys);
  for (const key of map.keys()) if (!kept.has(key)) map.delete(key);
}

function keyOf(instance, service) {
  return serviceKey(instance.instance_id, service.name);
}

function byPlace(a, b) {
  return (
    compare(a.stack, b.stack) || compare(a.worktree ?? "", b.worktree ?? "") || a.instance - b.instance ||
    compare(a.instance_id, b.instance_id)
  );
}

function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

function groupStrips(strips) {
  const grouped = new Map();
  for (const strip of strips) {
    const key = serviceKey(strip.instance_id, strip.service);
    grouped.set(key, [...(grouped.get(key) ?? []), strip]);
  }
  return grouped;
}
