/** Figures as they are read: one place for money, tokens, times. */

const NANO = 1e9;
const CENT = 0.01;

const dollars = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });

/** `$3.18`; below a cent two significant digits, never an exponent; `$0.00` for nothing. */
export function money(nanoUsd: number): string {
  const usd = nanoUsd / NANO;
  if (usd === 0 || Math.abs(usd) >= CENT) return dollars.format(usd);
  const places = Math.min(9, 1 - Math.floor(Math.log10(Math.abs(usd))));
  const small = usd.toFixed(places).replace(/(\.\d\d\d*?)0+$/, "$1");
  return small.startsWith("-") ? `-$${small.slice(1)}` : `$${small}`;
}

/** Dollars as text, exactly, to nano-USD. */
export function nano(usd: string | null): number | null {
  if (usd === null) return null;
  const [whole = "0", part = ""] = usd.replace("-", "").split(".");
  const size = Number(whole) * 1e9 + Number(part.padEnd(9, "0").slice(0, 9));
  return usd.startsWith("-") ? -size : size;
}

/** Every digit that there is: `$0.000123456`. */
export function exactMoney(nanoUsd: number): string {
  const whole = (nanoUsd / NANO).toFixed(9).replace(/(\.\d\d\d*?)0+$/, "$1");
  return `$${whole}`;
}

/** `$6.10–8.90`. */
export function moneyRange(low: number, high: number): string {
  return low === high ? money(low) : `${money(low)}–${money(high).slice(1)}`;
}

/** `1.2k`. */
export function tokens(count: number): string {
  if (count < 1000) return String(count);
  const [size, unit] = count < 1_000_000 ? [count / 1000, "k"] : [count / 1_000_000, "M"];
  return `${size < 100 ? size.toFixed(1).replace(/\.0$/, "") : Math.round(size)}${unit}`;
}

/** `1 run`, `2 runs`. */
export function plural(value: number, one: string, more: string): string {
  return `${count(value)} ${value === 1 ? one : more}`;
}

export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** `0.4 s`, `12 s`, `3 min`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
}

const DAY_MS = 86_400_000;
const STEPS: readonly [number, Intl.RelativeTimeFormatUnit][] = [
  [3_600_000, "hour"],
  [60_000, "minute"],
  [1000, "second"],
];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "narrow" });

/** Relative under a day, absolute beyond. */
export function ago(ms: number, now = Date.now()): string {
  const passed = ms - now;
  if (Math.abs(passed) >= DAY_MS) return day(ms, now);
  const [size, unit] = STEPS.find(([one]) => Math.abs(passed) >= one) ?? [1000, "second" as const];
  return relative.format(Math.round(passed / size), unit);
}

/** `14 Nov`, with the year where it is another. */
export function day(ms: number, now = Date.now()): string {
  const when = new Date(ms);
  const other = when.getFullYear() !== new Date(now).getFullYear();
  return when.toLocaleDateString("en-GB", { day: "numeric", month: "short", ...(other && { year: "numeric" }) });
}

/** With the zone, for whoever looks closer. */
export function exactTime(ms: number): string {
  return new Date(ms).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "long" });
}
