import { besideButton } from "../../../src/api/words.js";
import { duration } from "../../../src/parts/figures.js";
import type { Client, Shape } from "./client.js";

export type ProviderShape = Shape<"ProviderShape">;
export type KeyShape = Shape<"KeyShape">;

export interface Held {
  readonly providers: readonly ProviderShape[];
  readonly keys: readonly KeyShape[];
}

export async function readHeld(client: Client, signal: AbortSignal): Promise<Held> {
  const [{ providers }, { keys }] = await Promise.all([
    client.get<Shape<"ProvidersShape">>("/api/byok/providers", signal),
    client.get<Shape<"KeysShape">>("/api/byok/keys", signal),
  ]);
  return { providers: providers.filter((one) => one.enabled), keys };
}

const path = (provider: string) => `/api/byok/keys/${encodeURIComponent(provider)}`;

/** Tests it at the provider and keeps it; then what its models are is asked, and where that fails the list says so. */
export async function saveKey(client: Client, provider: string, key: string): Promise<string> {
  const body: Shape<"KeyForm"> = { key, check: true, force: false, label: "default" };
  const stored = await client.send<Shape<"StoredShape">>("PUT", path(provider), body);
  await client.send("POST", "/api/byok/models/refresh", { provider }).catch(() => undefined);
  const saved = `Saved as ${masked(stored.key)}.`;
  return stored.asked ? `${answered(stored.asked, stored.took_ms, stored.models)} ${saved}` : saved;
}

export async function removeKeys(client: Client, provider: string): Promise<void> {
  await client.send<Shape<"Removed">>("DELETE", path(provider));
}

/** With the key that is kept, or without one where none is needed. */
export async function test(client: Client, provider: ProviderShape): Promise<{ valid: boolean; says: string }> {
  const body: Shape<"ValidateForm"> = { provider: provider.id };
  const found =
    provider.keys > 0
      ? await client.send<Shape<"ValidShape">>("POST", `${path(provider.id)}/test`)
      : await client.send<Shape<"ValidShape">>("POST", "/api/byok/validate", body);
  if (found.valid) return { valid: true, says: answered(found.asked ?? provider.name, found.took_ms, found.models) };
  return { valid: false, says: [found.error ?? "It did not work.", besideButton(found.hint)].join(" ").trim() };
}

function answered(whom: string, tookMs?: number | null, models?: number | null): string {
  const after = tookMs === null || tookMs === undefined ? "" : ` in ${duration(tookMs)}`;
  const many = models === 1 ? "1 model" : `${(models ?? 0).toLocaleString("en-US")} models`;
  return `${whom} answered${after}${models === null || models === undefined ? "" : `, with ${many}`}.`;
}

export function masked(key: KeyShape): string {
  return key.masked.replace("...", "…");
}

/** The provider's address, with what was filled in. */
export function hostOf(provider: ProviderShape): string {
  const filled = provider.endpoint.replace(/\{(\w+)\}/g, (whole, name: string) => provider.fields[name] ?? whole);
  return URL.canParse(filled) ? new URL(filled).host : provider.name;
}
