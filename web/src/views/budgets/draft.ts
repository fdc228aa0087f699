import type { Shape } from "../../api/client";
import { type Budget, faultOf, plain, typed, type Unit } from "./amount";
import { modelOf } from "./named";

/** A budget as it is being written: amounts as they were typed. */
export interface Draft {
  name: string;
  unit: Unit;
  limit: string;
  per: Budget["per"];
  zone: string;
  anchorDay: number;
  exhausted: Budget["exhausted"];
  alerts: boolean;
  alertPercent: number;
  sharePercent: number | null;
  provider: string | null;
  /** `provider/model`, of that provider. */
  model: string | null;
  owner: string | null;
  key_id: string | null;
  token_id: string | null;
  automation: string | null;
  runSoft: Budget["run_soft"];
  softUsd: string;
  hardUsd: string;
  softTokens: string;
  hardTokens: string;
}

const USUAL_ALERT = 80;

export function draftOf(budget: Budget | null): Draft {
  return {
    name: budget?.name ?? "",
    unit: budget?.unit ?? "usd",
    limit: budget ? typed(budget.limit, budget.unit) : "20",
    per: budget?.per ?? "month",
    zone: budget?.zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
    anchorDay: budget?.anchor_day ?? 1,
    exhausted: budget?.exhausted ?? "refuse",
    alerts: budget ? budget.alert_percent !== null : true,
    alertPercent: budget?.alert_percent ?? USUAL_ALERT,
    sharePercent: budget?.share_percent ?? null,
    provider: budget?.provider ?? null,
    model: budget ? modelOf(budget) : null,
    owner: budget?.owner ?? null,
    key_id: budget?.key_id ?? null,
    token_id: budget?.token_id ?? null,
    automation: budget?.automation ?? null,
    runSoft: budget?.run_soft ?? "warn",
    softUsd: typed(budget?.run_soft_nano ?? null, "usd"),
    hardUsd: typed(budget?.run_hard_nano ?? null, "usd"),
    softTokens: typed(budget?.run_soft_tokens ?? null, "tokens"),
    hardTokens: typed(budget?.run_hard_tokens ?? null, "tokens"),
  };
}

/** As the API takes it; null takes a value away. */
export function bodyOf(draft: Draft): Shape<"BudgetForm"> {
  const amount = (text: string) => plain(text) || null;
  return {
    unit: draft.unit,
    limit: amount(draft.limit),
    per: draft.per,
    zone: draft.zone,
    anchor_day: anchored(draft.per) ? draft.anchorDay : 1,
    exhausted: draft.exhausted,
    alert_percent: draft.alerts ? draft.alertPercent : null,
    share_percent: draft.sharePercent,
    provider: draft.provider,
    model: draft.model,
    owner: draft.owner,
    key: draft.key_id,
    token: draft.token_id,
    automation: draft.automation,
    run_soft: draft.runSoft,
    run_soft_usd: amount(draft.softUsd),
    run_hard_usd: amount(draft.hardUsd),
    run_soft_tokens: amount(draft.softTokens),
    run_hard_tokens: amount(draft.hardTokens),
  };
}

/** Whether its windows begin on a day of their own. */
export function anchored(per: Draft["per"]): boolean {
  return per === "cycle" || per === "week";
}

/** Whether it can be saved as it stands: every amount is one, and there is a limit or a cap. */
export function isWhole(draft: Draft): boolean {
  const amounts: [string, Unit][] = [
    [draft.limit, draft.unit],
    [draft.softUsd, "usd"],
    [draft.hardUsd, "usd"],
    [draft.softTokens, "tokens"],
    [draft.hardTokens, "tokens"],
  ];
  return amounts.every(([text, unit]) => faultOf(text, unit) === null) && amounts.some(([text]) => plain(text) !== "");
}
