import { type QueryClient, useQuery } from "@tanstack/react-query";
import { api, type Shape, told } from "../../api/client";
import { MODELS } from "../../api/models";
import type { Tone } from "../../parts/State";

export type Provider = Shape<"ProviderShape">;
export type Providers = Shape<"ProvidersShape">;
export type Key = Shape<"KeyShape">;
export type Valid = Shape<"ValidShape">;

export const HOME = "/settings/byok";
export const LISTED = ["providers", "list"] as const;
const KEYS = ["providers", "keys"] as const;

export function useProviders() {
  return useQuery({ queryKey: LISTED, queryFn: () => told(api.GET("/api/byok/providers")) });
}

/** Of whoever asks, in the order in which they are tried. */
export function useKeys() {
  return useQuery({ queryKey: KEYS, queryFn: async () => (await told(api.GET("/api/byok/keys"))).keys });
}

/** Those that can be added, and whether they are. */
export function useGallery(enabled = true) {
  return useQuery({
    queryKey: ["gallery"],
    queryFn: async () => (await told(api.GET("/api/byok/gallery"))).providers,
    enabled,
  });
}

/** Servers of one's own, and whether they run. */
export function useLocal() {
  return useQuery({ queryKey: ["local"], queryFn: async () => (await told(api.GET("/api/byok/local"))).providers });
}

/** Whatever comes of it, what is there is read again, so that another try goes on with that. */
export async function addFromGallery(queries: QueryClient, id: string): Promise<void> {
  try {
    await told(api.POST("/api/byok/providers", { body: { gallery: id } }));
  } finally {
    await refresh(queries);
  }
}

/** After anything was changed here: what shows it elsewhere too. */
export async function refresh(queries: QueryClient): Promise<void> {
  const old = new Set(["providers", "gallery", "local", "home", "health", ...MODELS]);
  await queries.invalidateQueries({ predicate: (query) => old.has(String(query.queryKey[0])) });
}

export function sheetOf(provider: string): string {
  return `${HOME}/${encodeURIComponent(provider)}`;
}

/** A key as it may be shown: `sk-…vX2Q`. */
export function masked(key: Pick<Key, "masked">): string {
  return key.masked.replace("...", "…");
}

/** What one calls it by: `the key ending vX2Q`. */
export function ending(key: Pick<Key, "masked">): string {
  return `the key ending ${key.masked.slice(-4)}`;
}

const STATES: Record<Provider["state"], [Tone, string]> = {
  connected: ["good", "Connected"],
  untested: ["quiet", "Not tested yet"],
  no_key: ["quiet", "No key yet"],
  wanting: ["warn", "Needs a setting"],
  refused: ["bad", "Key refused"],
  expired: ["bad", "Key expired"],
  paused: ["warn", "Key paused"],
  resting: ["warn", "At its limit, rests"],
  failing: ["bad", "Does not answer well"],
  off: ["quiet", "Switched off"],
};

export function standing(provider: Pick<Provider, "state">): [Tone, string] {
  return STATES[provider.state];
}

const KEY_STATES: Record<Key["state"], [Tone, string]> = {
  ready: ["good", "Ready"],
  paused: ["warn", "Paused"],
  expired: ["bad", "Expired"],
  refused: ["bad", "Refused"],
  elsewhere: ["bad", "For another address"],
};

export function keyStanding(key: Key): [Tone, string] {
  if (key.state === "ready" && key.valid === null) return ["quiet", "Not tested yet"];
  return KEY_STATES[key.state];
}

/** Whether it stands among the cards: it has a key, was added or set, or runs on this machine and was asked. The others
 * wait in the gallery. */
export function isInUse(provider: Provider): boolean {
  if (provider.keys > 0 || provider.own) return true;
  if (provider.state === "off") return true;
  return provider.kind !== "cloud" && provider.state !== "untested" && provider.state !== "wanting";
}

/** On this machine or in this network: the local ones, and the demo. */
export function isLocal(provider: Pick<Provider, "kind">): boolean {
  return provider.kind !== "cloud";
}
