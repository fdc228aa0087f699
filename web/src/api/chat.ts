import type { Answerer, Piece, Usage } from "./answer";
import { proofHeaders } from "./client";
import { type Action, Problem, problemOf } from "./problem";

/** One message, as OpenAI's form of chat completions has it. */
export interface Message {
  role: "system" | "user" | "assistant" | "tool";
  content: string | readonly Part[] | null;
  tool_calls?: readonly CallSaid[];
  tool_call_id?: string;
  reasoning_details?: readonly unknown[];
}

export type Part = { type: "text"; text: string } | { type: "image_url"; image_url: { url: string } };

export interface CallSaid {
  id: string;
  type: "function";
  function: { name: string; arguments: string };
  extra_content?: unknown;
}

export interface ChatRequest {
  model: string;
  messages: readonly Message[];
  temperature?: number;
  /** The longest answer, in tokens. */
  max_completion_tokens?: number;
  tools?: readonly unknown[];
  response_format?: unknown;
  reasoning_effort?: string;
}

/** What a person has to say yes to before a request goes on. */
export interface Consent {
  token: string;
  until_ms: number | null;
  reasons: readonly { kind: "switch" | "soft_cap" | "over_budget" | "price_unknown"; says: string; model?: string }[];
  quote: {
    model: string;
    low_usd: string | null;
    expected_usd: string | null;
    most_usd: string | null;
  } | null;
}

export interface Manner {
  signal?: AbortSignal;
  /** Whether another model may go on where a stream breaks off: yes where it is not said. */
  carryOn?: boolean;
  /** The token of a consent that was given, for the very same request. */
  consent?: string;
  /** And not to be asked about the same for thirty days. */
  remember?: boolean;
}

const PATH = "/v1/chat/completions";

/** An answer, piece by piece. Throws a `Problem` where it was refused, where it broke off (what had come stays true),
 * and an `AbortError` where it was stopped. With status 409 `consentOf` the problem says what is asked. */
export async function* chat(request: ChatRequest, manner: Manner = {}): AsyncGenerator<Piece> {
  const response = await post(PATH, { ...request, stream: true, stream_options: { include_usage: true } }, manner);
  yield { kind: "begun", by: answererOf(response.headers) };
  let whole = false;
  for await (const data of events(response, manner.signal)) {
    if (data === "[DONE]") {
      whole = true;
      break;
    }
    yield* piecesOf(data);
  }
  if (!whole) throw brokenOff();
}

/** What is asked before the request goes on; null where the problem is another. */
export function consentOf(problem: Problem): Consent | null {
  const consent = (problem.body as { error?: { consent?: Consent } } | null)?.error?.consent;
  return problem.code === "consent_required" && consent?.token ? consent : null;
}

/** A request to the gateway, or to what is like it, as who is signed in. */
export async function post(path: string, body: unknown, manner: Manner = {}): Promise<Response> {
  const headers: Record<string, string> = { "content-type": "application/json", ...proofHeaders() };
  if (path === PATH) headers["x-ownkey-carry-on"] = manner.carryOn === false ? "no" : "yes";
  if (path === PATH) headers["x-ownkey-park"] = "no";
  if (manner.consent) headers["x-ownkey-consent"] = manner.consent;
  if (manner.consent && manner.remember) headers["x-ownkey-consent-remember"] = "yes";
  let response: Response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
      credentials: "same-origin",
      signal: manner.signal ?? null,
    });
  } catch (error) {
    throw isAbort(error) ? error : Problem.unreachable();
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

function answererOf(headers: Headers): Answerer {
  const age = headers.get("age");
  return {
    run: headers.get("x-request-id") ?? "",
    provider: headers.get("x-ownkey-provider") ?? "",
    model: headers.get("x-ownkey-model") ?? "",
    attempts: Number(headers.get("x-ownkey-attempts") ?? 1),
    warning: headers.get("x-ownkey-warning"),
    cachedS: headers.get("x-ownkey-cache") === "hit" ? Number(age ?? 0) : null,
  };
}

/** The data of each event of a stream. */
async function* events(response: Response, signal?: AbortSignal): AsyncGenerator<string> {
  if (response.body === null) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line.startsWith("data:")) yield line.slice(5).trim();
    }
  } catch (error) {
    throw signal?.aborted || isAbort(error) ? new DOMException("stopped", "AbortError") : brokenOff();
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function brokenOff(): Problem {
  return new Problem({
    status: 502,
    code: "upstream_cut",
    message: "The answer broke off before its end: the connection to Ownkey was lost.",
    action: "retry",
  });
}

interface Delta {
  content?: string | null;
  reasoning_content?: string | null;
  reasoning?: string | null;
  reasoning_details?: readonly unknown[];
  refusal?: string | null;
  images?: readonly { image_url?: { url?: string } }[];
  tool_calls?: readonly {
    index?: number;
    id?: string;
    function?: { name?: string; arguments?: string };
    extra_content?: unknown;
  }[];
}

interface Chunk {
  choices?: readonly { index?: number; delta?: Delta; finish_reason?: string | null }[];
  usage?: {
    prompt_tokens?: number;
    completion_tokens?: number;
    prompt_tokens_details?: { cached_tokens?: number } | null;
    completion_tokens_details?: { reasoning_tokens?: number } | null;
  } | null;
  ownkey?: { models?: readonly string[] };
  error?: {
    message?: string;
    status?: number | null;
    kind?: string;
    code?: string;
    provider?: string | null;
    notice?: string;
    action?: Action;
  };
}

function* piecesOf(data: string): Generator<Piece> {
  let chunk: Chunk;
  try {
    chunk = JSON.parse(data);
  } catch {
    throw new Problem({ status: 502, code: "upstream_invalid", message: "A piece of the answer cannot be read." });
  }
  const { error, usage } = chunk;
  if (error) {
    throw new Problem({
      ...error,
      message: error.message ?? "The answer broke off.",
      status: error.status || 502,
      body: chunk,
    });
  }
  for (const choice of chunk.choices ?? []) {
    // Only one answer was asked for.
    if (choice.index) continue;
    if (choice.delta) yield* saidIn(choice.delta);
    if (choice.finish_reason) yield { kind: "finish", reason: choice.finish_reason };
  }
  if (chunk.ownkey?.models?.length) yield { kind: "carried", models: chunk.ownkey.models };
  if (usage) yield { kind: "usage", usage: usageOf(usage) };
}

function* saidIn(delta: Delta): Generator<Piece> {
  const thought = delta.reasoning_content || delta.reasoning;
  if (thought) yield { kind: "reasoning", text: thought };
  if (delta.reasoning_details?.length) yield { kind: "details", details: delta.reasoning_details };
  if (delta.content) yield { kind: "text", text: delta.content };
  if (delta.refusal) yield { kind: "refusal", text: delta.refusal };
  for (const image of delta.images ?? []) {
    if (image.image_url?.url) yield { kind: "picture", url: image.image_url.url };
  }
  for (const [place, call] of (delta.tool_calls ?? []).entries()) {
    yield {
      kind: "call",
      index: call.index ?? place,
      id: call.id,
      name: call.function?.name,
      arguments: call.function?.arguments ?? "",
      extra: call.extra_content,
    };
  }
}

function usageOf(said: NonNullable<Chunk["usage"]>): Usage {
  return {
    input: said.prompt_tokens ?? null,
    output: said.completion_tokens ?? null,
    reasoning: said.completion_tokens_details?.reasoning_tokens ?? null,
    cached: said.prompt_tokens_details?.cached_tokens ?? null,
  };
}
