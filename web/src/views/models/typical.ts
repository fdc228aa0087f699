import { useQuery } from "@tanstack/react-query";
import { api, told } from "../../api/client";
import type { Model } from "../../api/models";
import { money } from "../../parts/figures";

/** A run as one of yours is. `own`: of how many runs it is the mean; null where there were too few. */
export interface Typical {
  input: number;
  output: number;
  own: number | null;
}

const USUAL: Typical = { input: 1_000, output: 500, own: null };
const FEW = 5;
const DAYS_MS = 30 * 86_400_000;
const PER = 1_000_000;

export function useTypical() {
  return useQuery({
    queryKey: ["usage", "typical"],
    queryFn: async (): Promise<Typical> => {
      const query = { since_ms: Date.now() - DAYS_MS, by: ["provider" as const] };
      const { totals } = await told(api.GET("/api/byok/usage", { params: { query } }));
      const sum = (of: (one: (typeof totals)[number]) => number) => totals.reduce((all, one) => all + of(one), 0);
      const runs = sum((one) => one.runs);
      if (runs < FEW) return USUAL;
      return {
        input: Math.round(sum((one) => one.input_tokens) / runs),
        output: Math.round(sum((one) => one.output_tokens) / runs),
        own: runs,
      };
    },
  });
}

/** In nano-USD; null where its price is not known. */
export function runCost(model: Model, typical: Typical): number | null {
  if (model.free) return 0;
  const { input, output, per_request } = model.price ?? {};
  if (typeof input !== "number" || typeof output !== "number") return null;
  return Math.round((input * typical.input + output * typical.output) / PER) + (per_request ?? 0);
}

/** Beside another's: `$0.0012 more (40% more)`. */
export function difference(cost: number, beside: number): string {
  if (cost === beside) return "the same";
  const word = cost > beside ? "more" : "less";
  const by = money(Math.abs(cost - beside));
  return beside === 0 ? `${by} ${word}` : `${by} ${word} (${share(Math.abs(cost - beside) / beside)})`;
}

function share(part: number): string {
  return part >= 10 ? `${Math.round(part)} times` : `${Math.max(1, Math.round(part * 100))}%`;
}
