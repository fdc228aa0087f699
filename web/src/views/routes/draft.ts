import type { Shape } from "../../api/client";
import type { Route } from "./words";

/** A route as it is being written. Nulls are as the settings have it. */
export interface Draft {
  name: string;
  targets: readonly string[];
  choose: Route["choose"];
  task: Route["task"];
  localOnly: boolean;
  exclude: readonly string[];
  regions: readonly string[];
  notRegions: readonly string[];
  retries: number | null;
  firstTokenS: number | null;
  totalS: number | null;
  carryOn: boolean | null;
  ask: boolean;
  fallback: boolean;
  everybody: boolean;
}

export type Change = (part: Partial<Draft>) => void;

export function draftOf(route: Route | null): Draft {
  return {
    name: route?.name ?? "",
    targets: route?.targets ?? [],
    choose: route?.choose ?? "listed",
    task: route?.task ?? null,
    localOnly: route?.local_only ?? false,
    exclude: route?.exclude ?? [],
    regions: route?.regions ?? [],
    notRegions: route?.not_regions ?? [],
    retries: route?.retries ?? null,
    firstTokenS: route?.first_token_timeout_s ?? null,
    totalS: route?.total_s ?? null,
    carryOn: route?.carry_on ?? null,
    ask: route?.ask ?? false,
    fallback: route?.fallback ?? true,
    everybody: route?.whose === "everybody",
  };
}

export function bodyOf(draft: Draft): Shape<"RouteForm"> {
  return {
    targets: [...draft.targets],
    choose: draft.choose,
    task: tasked(draft.choose) ? draft.task : null,
    local_only: draft.localOnly,
    exclude: [...draft.exclude],
    regions: [...draft.regions],
    not_regions: [...draft.notRegions],
    retries: draft.retries,
    first_token_timeout_s: draft.firstTokenS,
    total_s: draft.totalS,
    carry_on: draft.carryOn,
    ask: draft.ask,
    fallback: draft.fallback,
    everybody: draft.everybody,
  };
}

/** Whether a way of choosing is for a task. */
export function tasked(choose: Route["choose"]): boolean {
  return choose === "best" || choose === "balanced";
}
