import { useQuery } from "@tanstack/react-query";
import { api, type Shape, told } from "../../api/client";
import { usePerson } from "../../app/session";

export type Automation = Shape<"AutomationShape">;
export type Starter = Shape<"StarterShape">;
export type AutomationRun = Shape<"AutomationRunShape">;
export type Variable = Shape<"VariableShape">;

export const AUTO = "auto";
const MOST_RUNS = 500;

export function useAutomations() {
  return useQuery({ queryKey: ["automations", "list"], queryFn: () => told(api.GET("/api/automations")) });
}

export function useStarters() {
  return useQuery({
    queryKey: ["automations", "starters"],
    queryFn: () => told(api.GET("/api/automation-starters")),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** The last runs, the newest first, without what they gave. */
export function useRuns() {
  return useQuery({
    queryKey: ["runs", "automations"],
    queryFn: () => told(api.GET("/api/automation-runs", { params: { query: { limit: MOST_RUNS } } })),
  });
}

/** What each cost since the first of the month, in nano-USD by its name. */
export function useMonth() {
  const { id } = usePerson();
  const now = new Date();
  const since = new Date(now.getFullYear(), now.getMonth(), 1).getTime();
  return useQuery({
    queryKey: ["usage", "automations", since],
    queryFn: async (): Promise<ReadonlyMap<string, number>> => {
      const query = { by: ["owner", "automation"] as ("owner" | "automation")[], since_ms: since };
      const { totals } = await told(api.GET("/api/byok/usage", { params: { query } }));
      const own = totals.filter((one) => one.group.owner === id);
      return new Map(own.map((one) => [String(one.group.automation), one.cost_nano]));
    },
  });
}

export function pathOf(name: string, ...deeper: readonly string[]): string {
  return ["/automations", name, ...deeper].map((part, at) => (at === 0 ? part : encodeURIComponent(part))).join("/");
}

const VARIABLE = /\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}/g;

/** The names in `{{…}}`, each once, in their order. */
export function variablesIn(text: string): readonly string[] {
  return [...new Set([...text.matchAll(VARIABLE)].map((found) => found[1] ?? ""))];
}

/** A prompt in pieces, of which those at odd places are variables. */
export function pieces(text: string): readonly string[] {
  return text.split(/(\{\{\s*[A-Za-z_][A-Za-z0-9_]{0,63}\s*\}\})/);
}
