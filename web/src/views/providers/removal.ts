import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { api, proofHeaders, told } from "../../api/client";
import { asProblem } from "../../api/problem";
import { useSay } from "../../parts/Said";
import { ending, type Key, refresh } from "./data";

const UNTIL_MS = 10_000;

/** The keys that go in a moment, each with the timer by which it does. */
let leaving: ReadonlyMap<string, number> = new Map();
const watching = new Set<() => void>();

function put(change: (map: Map<string, number>) => void): void {
  const next = new Map(leaving);
  change(next);
  leaving = next;
  for (const seen of watching) seen();
}

function watch(seen: () => void): () => void {
  watching.add(seen);
  return () => watching.delete(seen);
}

/** Whoever leaves the page does not take a removal back by it. */
window.addEventListener("pagehide", () => {
  for (const [key, timer] of leaving) {
    window.clearTimeout(timer);
    const path = `/api/byok/key/${encodeURIComponent(key)}`;
    void fetch(path, { method: "DELETE", keepalive: true, headers: proofHeaders(), credentials: "same-origin" });
  }
});

export function useLeaving(): ReadonlyMap<string, number> {
  return useSyncExternalStore(watch, () => leaving);
}

/** Switches a key off at once, and removes it ten seconds later: until then it can be taken back. */
export function useRemoval(): (key: Key) => Promise<void> {
  const queries = useQueryClient();
  const say = useSay();
  return async (key) => {
    const path = { key: key.id };
    const use = (enabled: boolean) => told(api.PATCH("/api/byok/key/{key}", { params: { path }, body: { enabled } }));
    if (key.state !== "paused") await use(false);
    const timer = window.setTimeout(() => void gone(queries, key, say), UNTIL_MS);
    put((map) => map.set(key.id, timer));
    say({
      text: `${sentence(ending(key))} is switched off, and removed in ten seconds.`,
      undo: () => {
        window.clearTimeout(timer);
        put((map) => map.delete(key.id));
        void (key.state === "paused" ? Promise.resolve() : use(true)).then(() => refresh(queries));
      },
    });
    await refresh(queries);
  };
}

async function gone(queries: QueryClient, key: Key, say: (text: string) => void): Promise<void> {
  try {
    await api.DELETE("/api/byok/key/{key}", { params: { path: { key: key.id } } });
    say(`${sentence(ending(key))} is removed.`);
  } catch (error) {
    say(`${sentence(ending(key))} is still there, switched off. ${asProblem(error).said}`);
  }
  put((map) => map.delete(key.id));
  await refresh(queries);
}

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
