/** What a step says of itself, in words. */

import { tokensSoFar } from "../../api/answer";
import { exactMoney, money } from "../../parts/figures";
import type { Step } from "./talk";

/** What it has cost, in a sentence; null while that is not known. */
export function chargedText(step: Step): string | null {
  if (step.run === undefined) return null;
  const run = step.run;
  if (!run || run.state === "released") return "Nothing was charged.";
  if (!run.priced) return "What it cost is not known: nobody knows this model's price.";
  if (run.cost_nano === 0) return "Nothing was charged.";
  const amount = money(run.cost_nano);
  if (run.state === "held") return `Up to ${money(run.held_nano)} is set aside for it until it is settled.`;
  if (run.state === "assumed") return `At most ${amount} was charged: the provider did not say how much.`;
  return `It cost ${run.state === "counted" ? "about " : ""}${amount}.`;
}

/** What it has cost so far, as far as one can tell from what came. */
export function soFarNano(step: Step): number | null {
  const price = step.quote?.price;
  if (!step.quote || !price) return null;
  const tokens = tokensSoFar(step.answer);
  return Math.round((step.quote.input * price.input + tokens * price.output) / 1e6) + price.perRequest;
}

/** `about $0.0042`, with every digit beside it. */
export function exactly(nanoUsd: number): { short: string; long: string } {
  return { short: money(nanoUsd), long: exactMoney(nanoUsd) };
}
