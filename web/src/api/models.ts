import { type QueryClient, useQuery } from "@tanstack/react-query";
import { api, type Shape, told } from "./client";

type Price = NonNullable<Shape<"ModelShape">["price"]>;
export type Ability = Shape<"ModelShape">["does"][number];

/** A model of one provider, with what the page says of it. */
export interface Model {
  /** How it is asked for: `provider/model`. */
  readonly target: string;
  readonly provider: string;
  readonly providerName: string;
  readonly id: string;
  readonly name: string | null;
  /** In tokens. */
  readonly context: number | null;
  readonly maxOutput: number | null;
  readonly does: readonly Ability[];
  /** In nano-USD per million tokens; null where nobody knows it. */
  readonly price: Price | null;
  readonly free: boolean;
  /** It is asked where its provider is named alone. */
  readonly providersDefault: boolean;
  readonly retired: boolean;
  /** Usual here, to the first word; null before anything was measured. */
  readonly firstMs: number | null;
  readonly tokensPerS: number | null;
  /** Why it cannot be asked just now; null where it can. */
  readonly lack: string | null;
}

export const MODELS = ["models"] as const;

/** Every model that is known, provider by provider. */
export function useModels() {
  return useQuery({ queryKey: [...MODELS, "all"], queryFn: readModels, staleTime: 60_000 });
}

/** What is asked where nothing else is said: `provider/model`, or null where Ownkey chooses. */
export function useDefaultModel() {
  return useQuery({
    queryKey: [...MODELS, "default"],
    queryFn: async () => {
      const { model } = await told(api.GET("/api/automation-default"));
      return model === "auto" ? null : model;
    },
  });
}

/** New automations begin with it, and it leads wherever Ownkey chooses a model. */
export async function makeDefault(queries: QueryClient, target: string): Promise<void> {
  await told(api.PUT("/api/automation-default", { body: { model: target } }));
  const { preferred } = await told(api.GET("/api/byok/preferences"));
  const others = preferred.filter((one) => one !== target).slice(0, 99);
  await told(api.PATCH("/api/byok/preferences", { body: { preferred: [target, ...others] } }));
  await queries.invalidateQueries({ queryKey: MODELS });
}

/** Whether it answers in words; of many nothing is said, and they do. */
export function chats(model: Model): boolean {
  return model.does.length === 0 || model.does.includes("chat");
}

async function readModels(): Promise<readonly Model[]> {
  const [{ models }, { providers }] = await Promise.all([
    told(api.GET("/api/byok/models")),
    told(api.GET("/api/byok/providers")),
  ]);
  const known = new Map(providers.map((one) => [one.id, one]));
  return models.map((one) => {
    const provider = known.get(one.provider);
    return {
      target: `${one.provider}/${one.id}`,
      provider: one.provider,
      providerName: provider?.name ?? one.provider,
      id: one.id,
      name: one.name,
      context: one.context,
      maxOutput: one.max_output,
      does: one.does,
      price: one.price,
      free: one.free,
      providersDefault: one.default,
      retired: one.retired,
      firstMs: one.first_ms,
      tokensPerS: one.tokens_per_s,
      lack: provider?.lack?.says ?? null,
    };
  });
}
