import { money, tokens } from "../../../src/parts/figures.js";
import type { Client, Shape } from "./client.js";

/** A model that can be asked. */
export interface Model {
  /** How it is asked for: `provider/model`. */
  readonly target: string;
  readonly id: string;
  readonly name: string;
  readonly provider: string;
  readonly providerName: string;
  /** In tokens; null where nobody knows it. */
  readonly context: number | null;
  /** In nano-USD per million tokens; null where nobody knows it. */
  readonly price: Shape<"PriceShape"> | null;
  readonly free: boolean;
  readonly functions: boolean;
  readonly vision: boolean;
}

/** Those that chat, of providers that can be asked as they are. */
export async function readModels(client: Client, signal: AbortSignal): Promise<readonly Model[]> {
  const [{ models }, { providers }] = await Promise.all([
    client.get<Shape<"ModelsShape">>("/api/byok/models", signal),
    client.get<Shape<"ProvidersShape">>("/api/byok/providers", signal),
  ]);
  const ready = new Map(providers.filter((one) => one.enabled && one.lack === null).map((one) => [one.id, one.name]));
  return models
    .filter((one) => ready.has(one.provider) && !one.retired)
    .filter((one) => one.does.length === 0 || one.does.includes("chat"))
    .map((one) => ({
      target: `${one.provider}/${one.id}`,
      id: one.id,
      name: one.name ?? one.id,
      provider: one.provider,
      providerName: ready.get(one.provider) ?? one.provider,
      context: one.context,
      price: one.price,
      free: one.free,
      functions: one.does.includes("tools"),
      vision: one.does.includes("vision"),
    }));
}

/** What went wrong at providers that were asked for their models, each in a sentence. Of a local server that has never
 * given any, nothing: it does not run. */
export async function refreshModels(client: Client, known: readonly Model[]): Promise<string> {
  const [refreshed, { providers }] = await Promise.all([
    client.send<Shape<"RefreshesShape">>("POST", "/api/byok/models/refresh", {}),
    client.get<Shape<"ProvidersShape">>("/api/byok/providers"),
  ]);
  const local = new Set(providers.filter((one) => one.kind === "local").map((one) => one.id));
  const counts = (id: string) => !local.has(id) || known.some((one) => one.provider === id);
  return refreshed.providers.flatMap((one) => (counts(one.provider) ? (one.error ?? []) : [])).join(" ");
}

/** Every word of `text` stands in it somewhere. */
export function found(model: Model, text: string): boolean {
  const where = `${model.target} ${model.name} ${model.providerName}`.toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => where.includes(word));
}

export function contextSays({ context }: Model): string {
  return context === null ? "" : `${tokens(context)} context`;
}

export function priceSays({ free, price }: Model): string {
  if (free) return "free";
  if (price === null || price.input === null || price.output === null) return "price not known";
  return `${money(price.input)} in, ${money(price.output)} out per 1M tokens`;
}
