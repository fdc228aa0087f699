import { money } from "../../parts/figures";
import type { Cost } from "./talk";

/** "That cost $0.0003. You have $4.9997 left." What is left is told as finely as what it cost. */
export function costSaid({ run, leftNano }: Cost): string {
  if (!run.priced) return "What that cost is not known.";
  if (run.cost_nano === 0) return "That cost nothing.";
  const cost = money(run.cost_nano);
  const left = leftNano === null ? "" : ` You have ${finely(leftNano, cost)} left.`;
  return `That cost ${cost}.${left}`;
}

function finely(nanoUsd: number, like: string): string {
  const places = Math.max(2, like.split(".")[1]?.length ?? 2);
  const usd = (nanoUsd / 1e9).toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
  return `$${usd}`;
}
