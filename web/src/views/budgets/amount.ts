import type { Shape } from "../../api/client";
import { count, money, tokens } from "../../parts/figures";

export type Budget = Shape<"BudgetShape">;
export type Unit = Budget["unit"];

const NANO_DIGITS = 9;

/** Nano-dollars as one would type them, every digit of them: `0.05`. */
export function typedDollars(nanoUsd: number): string {
  const digits = String(nanoUsd).padStart(NANO_DIGITS + 1, "0");
  const whole = digits.slice(0, -NANO_DIGITS);
  const part = digits.slice(-NANO_DIGITS).replace(/0+$/, "");
  return part === "" ? whole : `${whole}.${part.padEnd(2, "0")}`;
}

export function typed(amount: number | null, unit: Unit): string {
  if (amount === null) return "";
  return unit === "usd" ? typedDollars(amount) : String(amount);
}

/** What was typed, without what people write besides: `$1,000` is `1000`. */
export function plain(text: string): string {
  return text.replace(/[$,\s]/g, "");
}

/** What is wrong with it, in words; null where it is an amount, or nothing. */
export function faultOf(text: string, unit: Unit): string | null {
  const given = plain(text);
  if (given === "") return null;
  if (unit === "usd") {
    return /^\d{1,7}(\.\d{1,9})?$/.test(given) ? null : "Dollars such as 20 or 0.05.";
  }
  return /^\d{1,15}$/.test(given) ? null : `A whole number of ${unit}.`;
}

/** An amount in a budget's unit, as it is read. */
export function said(amount: number, unit: Unit): string {
  if (unit === "usd") return money(amount);
  if (unit === "tokens") return `${tokens(amount)} tokens`;
  return `${count(amount)} ${amount === 1 ? "request" : "requests"}`;
}

const ROUND: Record<Unit, readonly number[]> = {
  usd: [0.1, 0.2, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 750, 1000],
  tokens: [10_000, 50_000, 100_000, 250_000, 500_000, 1e6, 2e6, 5e6, 1e7, 2e7, 5e7, 1e8, 2.5e8, 5e8, 1e9],
  requests: [10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000],
};

/** Where a slider may stand: round amounts, as they are typed. */
export function stops(unit: Unit): readonly string[] {
  return ROUND[unit].map((one) => (unit === "usd" && one % 1 !== 0 ? one.toFixed(2) : String(one)));
}

/** The stop nearest to what was typed. */
export function nearest(text: string, unit: Unit): number {
  const given = Number(plain(text));
  const at = ROUND[unit].findIndex((one) => one >= given);
  return at === -1 ? ROUND[unit].length - 1 : at;
}

const EVERY: Record<Budget["per"], string> = {
  day: "a day",
  week: "a week",
  month: "a month",
  cycle: "a billing month",
  ever: "in all",
};

export function limitSaid(budget: Pick<Budget, "limit" | "unit" | "per">): string {
  return budget.limit === null ? "No limit in all" : `${said(budget.limit, budget.unit)} ${EVERY[budget.per]}`;
}
