import { useAddress } from "../../app/address";
import { type Names, useNames } from "./names";

/** By what usage is told apart, and filtered. */
export const GROUPS = ["provider", "model", "owner", "token_id", "automation", "key_id"] as const;
export type Group = (typeof GROUPS)[number];

export const GROUP_WORDS: Record<Group, string> = {
  provider: "Provider",
  model: "Model",
  owner: "Person",
  token_id: "Token",
  automation: "Automation",
  key_id: "Key",
};

export const SPANS = { "7": "7 days", "30": "30 days", "90": "90 days", "365": "A year" } as const;

const DAY_MS = 86_400_000;

export interface Filters {
  group: Group;
  days: number;
  since_ms: number;
  where: Partial<Record<Group, string>>;
  failed: boolean;
  names: Names;
  /** What is asked of the server. */
  query: Partial<Record<Group, string>> & { since_ms: number };
  set: (changes: Record<string, string | null>) => void;
  /** As it stands in the address. */
  search: string;
}

/** Midnight, so many days ago: days and hours of the rollups are those of UTC. */
function since(days: number): number {
  return Math.floor(Date.now() / DAY_MS) * DAY_MS - (days - 1) * DAY_MS;
}

/** The filters, which live in the address. */
export function useFilters(): Filters {
  const [given, setGiven] = useAddress();
  const names = useNames();
  const asked = given.get("by");
  const group = GROUPS.find((one) => one === asked) ?? "provider";
  const days = Number(given.get("days")) || 30;
  const where: Partial<Record<Group, string>> = {};
  for (const name of GROUPS) {
    const value = given.get(name);
    if (value !== null) where[name] = value;
  }
  const since_ms = since(days);
  const set = (changes: Record<string, string | null>) =>
    setGiven((after) => {
      for (const [name, value] of Object.entries(changes)) {
        if (value === null) after.delete(name);
        else after.set(name, value);
      }
      return after;
    });
  const search = given.size > 0 ? `?${given}` : "";
  return {
    group,
    days,
    since_ms,
    where,
    failed: given.has("failed"),
    names,
    query: { ...where, since_ms },
    set,
    search,
  };
}
