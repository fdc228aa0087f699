import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";

/** The first word of the keys of queries that an event makes old. */
const OLD: Record<string, readonly string[]> = {
  usage: ["usage", "home", "budgets", "runs", "batches"],
  health: ["health", "providers", "home", "routes"],
  alert: ["alerts", "home"],
};
const TOGETHER_MS = 400;
const EVERY_MS = 20_000;

/** Keeps what is shown as new as the server's events say; where they cannot be had, it is asked again now and then. */
export function useLive(): void {
  const queries = useQueryClient();
  useEffect(() => listen(queries), [queries]);
}

function listen(queries: QueryClient): () => void {
  const waiting = new Set<string>();
  let timer: number | undefined;
  let polling: number | undefined;
  const refresh = () => {
    timer = undefined;
    const old = new Set([...waiting].flatMap((name) => OLD[name] ?? []));
    waiting.clear();
    void queries.invalidateQueries({ predicate: (query) => old.has(String(query.queryKey[0])) });
  };
  const note = (name: string) => {
    waiting.add(name);
    timer ??= window.setTimeout(refresh, TOGETHER_MS);
  };
  const all = () => void queries.invalidateQueries();
  const source = new EventSource("/api/events");
  for (const name of Object.keys(OLD)) source.addEventListener(name, () => note(name));
  source.addEventListener("reset", all);
  source.addEventListener("ended", () => {
    source.close();
    // Whoever may no more listen may no more ask: the first refusal says so.
    all();
  });
  source.addEventListener("ready", () => {
    // What happened while nobody listened is not told.
    if (polling !== undefined) all();
    window.clearInterval(polling);
    polling = undefined;
  });
  source.addEventListener("error", () => {
    polling ??= window.setInterval(all, EVERY_MS);
  });
  return () => {
    source.close();
    window.clearTimeout(timer);
    window.clearInterval(polling);
  };
}
