import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { api, proofHeaders, told } from "../../api/client";
import { asProblem, Problem } from "../../api/problem";
import { useSay } from "../../parts/Said";
import { ending, type Key, refresh } from "./data";

const UNTIL_MS = 10_000;

/** A key that goes in a moment: the timer by which it does, and its removal once that has begun. */
interface Leaving {
  key: Key;
  timer: number;
  going?: Promise<void>;
}

let leaving: ReadonlyMap<string, Leaving> = new Map();
const watching = new Set<() => void>();

function put(change: (map: Map<string, Leaving>) => void): void {
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
  for (const [key, { timer }] of leaving) {
    window.clearTimeout(timer);
    const path = `/api/byok/key/${encodeURIComponent(key)}`;
    void fetch(path, { method: "DELETE", keepalive: true, headers: proofHeaders(), credentials: "same-origin" });
  }
});

export function useLeaving(): ReadonlyMap<string, Leaving> {
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
    put((map) => map.set(key.id, { key, timer }));
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
    await remove(key);
    say(`${sentence(ending(key))} is removed.`);
  } catch (error) {
    say(asProblem(error).said);
  }
  await refresh(queries);
}

/** Once, however often it is asked for. What it throws says what became of the key. */
function remove(key: Key): Promise<void> {
  const one = leaving.get(key.id);
  const going = one?.going ?? removed(key);
  if (one) one.going = going;
  return going;
}

async function removed(key: Key): Promise<void> {
  try {
    await api.DELETE("/api/byok/key/{key}", { params: { path: { key: key.id } } });
  } catch (error) {
    const { status, said } = asProblem(error);
    throw new Problem({ status, message: `${sentence(ending(key))} is still there, switched off. ${said}` });
  } finally {
    put((map) => map.delete(key.id));
  }
}

/** Removes all that are leaving, one after the other: each may ask for the password. */
export async function removeNow(): Promise<void> {
  while (leaving.size > 0) {
    const [one] = leaving.values();
    if (!one) return;
    window.clearTimeout(one.timer);
    await remove(one.key);
  }
}

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
