import { useQuery } from "@tanstack/react-query";
import { api, told } from "../../api/client";
import { useKeeper, usePerson } from "../../app/session";
import type { Budget } from "./amount";

export interface Option {
  value: string;
  label: string;
}

/** What a budget or a limit can be for, by id and by name. */
export interface Named {
  providers: readonly Option[];
  people: readonly Option[];
  keys: readonly Option[];
  tokens: readonly Option[];
  automations: readonly Option[];
}

const NOTHING: Named = { providers: [], people: [], keys: [], tokens: [], automations: [] };

/** All that can be named; people for who keeps this Ownkey alone. */
export function useNamed(): Named {
  const keeper = useKeeper();
  const person = usePerson();
  const found = useQuery({
    queryKey: ["budgets", "named", keeper],
    staleTime: 60_000,
    queryFn: async (): Promise<Named> => {
      const [providers, keys, tokens, automations, people] = await Promise.all([
        told(api.GET("/api/byok/providers")),
        told(api.GET("/api/byok/keys")),
        told(api.GET("/api/byok/tokens", { params: { query: keeper ? { everybody: true } : {} } })),
        told(api.GET("/api/automations")),
        keeper ? told(api.GET("/api/byok/users")) : null,
      ]);
      return {
        providers: providers.providers.map((one) => ({ value: one.id, label: one.name })),
        keys: keys.keys
          .filter((one) => one.source === "stored")
          .map((one) => ({ value: one.id, label: `${one.provider}/${one.label} · ${one.masked}` })),
        tokens: tokens.tokens
          .filter((one) => one.revoked_at_ms === null)
          .map((one) => ({ value: one.id, label: `${one.name} · ${one.shown}` })),
        automations: automations.automations.map((one) => ({ value: one.name, label: one.name })),
        people: people
          ? people.users.map((one) => ({ value: one.id, label: one.email ? `${one.name} · ${one.email}` : one.name }))
          : [{ value: person.id, label: person.name }],
      };
    },
  });
  return found.data ?? NOTHING;
}

/** Which fields of a budget say what it is for, with what can stand in each. */
export const SCOPES = [
  { field: "provider", label: "Provider", of: "providers" },
  { field: "owner", label: "Person", of: "people" },
  { field: "key_id", label: "Key", of: "keys" },
  { field: "token_id", label: "Token", of: "tokens" },
  { field: "automation", label: "Automation", of: "automations" },
] as const satisfies readonly { field: keyof Budget; label: string; of: keyof Named }[];

export type ScopeField = (typeof SCOPES)[number]["field"];

export function labelled(options: readonly Option[], value: string): string {
  return options.find((one) => one.value === value)?.label ?? value;
}

/** As it is asked for, `provider/model`. */
export function modelOf({ provider, model }: Budget): string | null {
  return provider !== null && model !== null ? `${provider}/${model}` : null;
}

/** `OpenAI, automation nightly`; `Everything` where nothing is named. */
export function forWhat(budget: Budget, named: Named): string {
  const model = modelOf(budget);
  const parts = SCOPES.flatMap(({ field, label, of }) => {
    const value = budget[field];
    if (value === null) return [];
    if (field === "provider" && model !== null) return [model];
    const name = labelled(named[of], value);
    return [field === "provider" ? name : `${label.toLowerCase()} ${name}`];
  });
  return parts.length > 0 ? parts.join(", ") : "Everything";
}
