import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { api, told } from "../../api/client";
import { useModels } from "../../api/models";
import { priceText } from "../../parts/ModelFacts";
import type { OtherChoice } from "../../parts/ModelPicker";
import { AUTO, EVERY, type HealthState } from "./words";

export interface TargetFacts {
  state: HealthState | null;
  /** Per million tokens, in / out; null for what stands for many. */
  price: string | null;
  says: string | null;
}

interface Known {
  of: (target: string) => TargetFacts;
  /** What can be a target besides a model. */
  others: readonly OtherChoice[];
  providers: readonly { value: string; label: string }[];
}

/** How each target is, as events tell, and what it costs. */
export function useKnown(): Known {
  const models = useModels();
  const health = useQuery({ queryKey: ["health"], queryFn: () => told(api.GET("/api/health/providers")) });
  const found = useQuery({
    queryKey: ["routes", "providers"],
    queryFn: () => told(api.GET("/api/byok/providers")),
    staleTime: 60_000,
  });
  return useMemo(() => {
    const providers = new Map((found.data?.providers ?? []).map((one) => [one.id, one]));
    const prices = new Map((models.data ?? []).map((one) => [one.target, one]));
    const states = new Map<string, HealthState>();
    for (const one of health.data?.providers ?? []) {
      states.set(one.provider, one.state);
      for (const target of one.targets) states.set(`${one.provider}/${target.model}`, target.state);
    }
    const of = (target: string): TargetFacts => {
      if (target === AUTO) return { state: null, price: null, says: "The default model of each provider" };
      if (target === EVERY) return { state: null, price: null, says: "Every model of every provider" };
      const provider = providers.get(target.split("/", 1)[0] ?? "");
      const whole = target.includes("/") ? target : `${target}/${provider?.default_model ?? ""}`;
      const model = prices.get(whole);
      return {
        state: states.get(whole) ?? (provider ? "unknown" : null),
        price: model ? priceText(model) : null,
        says:
          provider?.lack?.says ?? (target.includes("/") ? null : `Its default, ${provider?.default_model ?? "none"}`),
      };
    };
    const others: OtherChoice[] = [
      { value: AUTO, label: AUTO, says: "The default model of each provider" },
      { value: EVERY, label: EVERY, says: "Every model of every provider" },
      ...[...providers.values()]
        .filter((one) => one.lack === null)
        .map((one) => ({ value: one.id, label: one.id, says: `The default model of ${one.name}` })),
    ];
    return { of, others, providers: [...providers.values()].map((one) => ({ value: one.id, label: one.name })) };
  }, [models.data, health.data, found.data]);
}
