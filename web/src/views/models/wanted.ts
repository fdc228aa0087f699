import { useDeferredValue, useMemo } from "react";
import type { Ability, Model } from "../../api/models";
import { useAddress } from "../../app/address";

export const MOST_COMPARED = 4;

export type Sort = "name" | "input" | "output" | "context" | "speed";

/** What one looks for among the models: all of it stands in the address. */
export interface Wanted {
  q: string;
  does: readonly Ability[];
  provider: string | null;
  free: boolean;
  ready: boolean;
  flat: boolean;
  sort: Sort;
  down: boolean;
  compared: readonly string[];
}

/** Some of it, or what becomes of what is wanted now. */
export type Change = Partial<Wanted> | ((now: Wanted) => Partial<Wanted>);

export function useWanted(): [Wanted, (given: Change) => void] {
  const [search, setSearch] = useAddress();
  const wanted = useMemo(() => read(search), [search]);
  const change = (given: Change) =>
    setSearch((old) => {
      const now = read(old);
      return write({ ...now, ...(typeof given === "function" ? given(now) : given) });
    });
  return [wanted, change];
}

/** With that one, or without it where it was among them. */
export function toggled<Item>(items: readonly Item[], item: Item): readonly Item[] {
  return items.includes(item) ? items.filter((one) => one !== item) : [...items, item];
}

const SORTS: readonly Sort[] = ["name", "input", "output", "context", "speed"];

function read(search: URLSearchParams): Wanted {
  const sort = SORTS.find((one) => one === search.get("sort"));
  return {
    q: search.get("q") ?? "",
    does: search.getAll("does") as Ability[],
    provider: search.get("provider"),
    free: search.has("free"),
    ready: search.has("ready"),
    flat: search.has("flat"),
    sort: sort ?? "name",
    down: search.has("down"),
    compared: search.getAll("m").slice(0, MOST_COMPARED),
  };
}

function write(wanted: Wanted): URLSearchParams {
  const search = new URLSearchParams();
  if (wanted.q) search.set("q", wanted.q);
  for (const ability of wanted.does) search.append("does", ability);
  if (wanted.provider) search.set("provider", wanted.provider);
  for (const name of ["free", "ready", "flat", "down"] as const) if (wanted[name]) search.set(name, "1");
  if (wanted.sort !== "name") search.set("sort", wanted.sort);
  for (const target of wanted.compared) search.append("m", target);
  return search;
}

/** `?m=…&m=…`, for the address of a comparison. */
export function comparing(targets: readonly string[]): string {
  return `/models/compare?${new URLSearchParams(targets.map((target) => ["m", target]))}`;
}

/** Those that are wanted, in the order that is. */
export function useFound(models: readonly Model[], wanted: Wanted): readonly Model[] {
  const late = useDeferredValue(wanted);
  const texts = useMemo(
    () => new Map(models.map((one) => [one, `${one.target} ${one.name ?? ""} ${one.providerName}`.toLowerCase()])),
    [models],
  );
  return useMemo(() => {
    const words = late.q.toLowerCase().split(/\s+/).filter(Boolean);
    const found = models.filter(
      (one) =>
        words.every((word) => texts.get(one)?.includes(word)) &&
        late.does.every((ability) => one.does.includes(ability)) &&
        (late.provider === null || one.provider === late.provider) &&
        (!late.free || one.free) &&
        (!late.ready || one.lack === null),
    );
    return sorted(found, late);
  }, [models, texts, late]);
}

function sorted(models: Model[], wanted: Wanted): Model[] {
  const way = wanted.down ? -1 : 1;
  const figure = FIGURES[wanted.sort];
  const alike = (one: Model, other: Model) => (wanted.flat ? 0 : one.providerName.localeCompare(other.providerName));
  return models.sort((one, other) => {
    const grouped = alike(one, other);
    if (grouped !== 0) return grouped;
    if (figure === null) return way * one.id.localeCompare(other.id);
    const [left, right] = [figure(one), figure(other)];
    // What nobody knows comes last, whichever way it goes.
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    return way * (left - right);
  });
}

const FIGURES: Record<Sort, ((model: Model) => number | null) | null> = {
  name: null,
  input: (model) => model.price?.input ?? null,
  output: (model) => model.price?.output ?? null,
  context: (model) => model.context,
  speed: (model) => model.tokensPerS,
};
