/** Numbers as people read them. */

/** Seconds as "12s", "3m 05s", "2h 14m", "3d 4h". */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}m`;
  return `${Math.floor(whole / 86_400)}d ${Math.floor((whole % 86_400) / 3600)}h`;
}

const UNITS = ["KiB", "MiB", "GiB", "TiB"];

/** Bytes as "45.2 MiB". */
export function memory(bytes) {
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 100 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

/** A share of one core as "3.4 %". */
export function percent(share) {
  const value = share * 100;
  return `${value < 100 ? value.toFixed(1) : Math.round(value)} %`;
}

/** Seconds since 1970 as the clock's "14:03:07". */
export function clock(time) {
  const date = new Date(time * 1000);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Milliseconds since 1970 as "14:03:07.042". */
export function clockMs(ms) {
  return `${clock(ms / 1000)}.${String(ms % 1000).padStart(3, "0")}`;
}

export function count(number, one, many = `${one}s`) {
  return `${grouped(number)} ${number === 1 ? one : many}`;
}

/** "100,000". */
export function grouped(number) {
  return number.toLocaleString("en");
}

function two(number) {
  return String(number).padStart(2, "0");
}
