import type { ReactNode } from "react";
import { OwnkeyProvider, type Shape } from "../packages/react/src/index.js";

/** What each route answers, by its method and path; `problem` in place of it, `never`: it does not answer. */
type Answers = Readonly<Record<string, unknown>>;

const PROBLEM: Shape<"Error"> = {
  error: {
    code: "unavailable",
    kind: "SERVER_ERROR",
    message: "Ownkey is being restarted. Nothing was lost or charged.",
    param: null,
    type: "server_error",
  },
};

/** The components over answers that stand in for a server's. */
export function Standing({ answers, children }: { answers: Answers | "problem" | "never"; children: ReactNode }) {
  const fetch: typeof globalThis.fetch = async (asked, how) => {
    if (answers === "never") return new Promise<Response>(() => undefined);
    if (answers === "problem") return Response.json(PROBLEM, { status: 503 });
    const { pathname } = new URL(String(asked));
    const answer = answers[`${how?.method ?? "GET"} ${pathname}`];
    return answer === undefined ? Response.json(PROBLEM, { status: 503 }) : Response.json(answer);
  };
  return (
    <OwnkeyProvider baseUrl="https://ownkey.example.com" token={async () => "op-example"} fetch={fetch}>
      {children}
    </OwnkeyProvider>
  );
}

const OPENAI: Shape<"ProviderShape"> = {
  begins: "sk-",
  default_model: "gpt-4o",
  enabled: true,
  endpoint: "https://api.openai.com/v1",
  fields: {},
  fields_wanted: [],
  free: false,
  id: "openai",
  key_looks_like: null,
  key_page: "https://platform.openai.com/api-keys",
  key_required: true,
  keys: 0,
  kind: "cloud",
  lack: { says: "There is no key yet.", hint: "Add one." },
  month_nano: 0,
  name: "OpenAI",
  own: false,
  prices_known: true,
  says: "No key yet.",
  since_ms: null,
  state: "no_key",
  until_ms: null,
  wire: "openai-chat",
};

const AZURE: Shape<"ProviderShape"> = {
  ...OPENAI,
  begins: "",
  endpoint: "https://{resource}.openai.azure.com",
  fields: { resource: "acme" },
  fields_wanted: [{ name: "resource", value: "acme", example: "my-resource", help: null, required: true }],
  id: "azure",
  name: "Azure OpenAI",
};

const OLLAMA: Shape<"ProviderShape"> = {
  ...OPENAI,
  begins: "",
  endpoint: "http://127.0.0.1:11434/v1",
  free: true,
  id: "ollama",
  key_page: null,
  key_required: false,
  kind: "local",
  lack: null,
  name: "Ollama",
  says: "Not tested yet.",
  state: "untested",
};

const WITH_KEY: Shape<"ProviderShape"> = { ...OPENAI, keys: 1, lack: null, says: "Connected.", state: "connected" };

const KEY: Shape<"KeyShape"> = {
  budget: null,
  checked_at_ms: 1_795_000_000_000,
  created_at_ms: 1_795_000_000_000,
  expires_at_ms: null,
  id: "key-1",
  label: "default",
  limit_nano: null,
  masked: "sk-...vX2Q",
  models: [],
  origin: "https://api.openai.com",
  position: 0,
  provider: "openai",
  rests_until_ms: null,
  source: "stored",
  spent_nano: 0,
  state: "ready",
  used_at_ms: null,
  valid: true,
  weight: null,
  why: null,
};

const MODEL: Shape<"ModelShape"> = {
  context: 128_000,
  default: true,
  does: ["chat", "stream", "tools", "json", "vision"],
  first_ms: null,
  free: false,
  id: "gpt-4o",
  max_output: 16_384,
  name: "GPT-4o",
  preferred: false,
  price: {
    cache_write: null,
    cached: null,
    dated: null,
    input: 2_500_000_000,
    output: 10_000_000_000,
    per_request: 0,
    reasoning: null,
    source: "list",
    tiers: false,
  },
  provider: "openai",
  retired: false,
  tokens_per_s: null,
};

const MINI: Shape<"ModelShape"> = {
  ...MODEL,
  default: false,
  does: ["chat"],
  id: "gpt-4o-mini",
  name: "GPT-4o mini",
  price: null,
};

const TOTAL: Shape<"TotalShape"> = {
  group: {},
  calls: 12,
  failed: 0,
  unpriced: 0,
  cost_nano: 3_180_000_000,
  input_tokens: 40_000,
  output_tokens: 9_000,
  cached_tokens: 0,
  cache_write_tokens: 0,
  reasoning_tokens: 0,
  input_audio_tokens: 0,
  output_audio_tokens: 0,
  runs: 12,
};

const keys = (...held: Shape<"KeyShape">[]): Shape<"KeysShape"> => ({ keys: held });
const models = (...held: Shape<"ModelShape">[]): Shape<"ModelsShape"> => ({ models: held });
const providers = (...held: Shape<"ProviderShape">[]): Shape<"ProvidersShape"> => ({ problems: [], providers: held });
const month = (total: Shape<"TotalShape"> | null): Pick<Shape<"SummaryShape">, "month"> => ({ month: total });
const stored: Shape<"StoredShape"> = { asked: "api.openai.com", key: KEY, models: 63, says: null, took_ms: 412 };
const refreshed: Shape<"RefreshesShape"> = { providers: [] };

/** What each of the last days cost; the same each time it is looked at. */
function days(): Record<string, number> {
  const today = Date.now();
  const day = (back: number) => new Date(today - back * 86_400_000).toISOString().slice(0, 10);
  return Object.fromEntries(Array.from({ length: 30 }, (_, back) => [day(back), ((back * 7) % 11) * 40_000_000]));
}

const QUOTE = {
  quotes: [{ error: null, expected_usd: "0.002", ceiling_usd: "0.011", says: "about $0.002, at most $0.011" }],
};

export const EMPTY: Answers = {
  "GET /api/byok/providers": providers(OPENAI, AZURE),
  "GET /api/byok/keys": keys(),
  "GET /api/byok/models": models(),
  "GET /api/byok/usage/days": {},
  "GET /api/byok/usage/summary": month(null),
  "POST /api/byok/quote": QUOTE,
  "POST /api/byok/models/refresh": refreshed,
  "PUT /api/byok/keys/openai": stored,
};

export const FILLED: Answers = {
  ...EMPTY,
  "GET /api/byok/providers": providers(WITH_KEY, AZURE, OLLAMA),
  "GET /api/byok/keys": keys(KEY),
  "GET /api/byok/models": models(MODEL, MINI),
  "GET /api/byok/usage/days": days(),
  "GET /api/byok/usage/summary": month(TOTAL),
};
