import { nano } from "../parts/figures";
import { type ChatRequest, post } from "./chat";

/** What a request will cost at one model. Amounts in nano-USD; null where the price is not known. */
export interface Quote {
  model: string;
  asked: string;
  input: number;
  /** Whether the input was counted, not estimated. */
  exact: boolean;
  output: number;
  /** The longest answer that can come. */
  cap: number;
  /** Where the expected length of the answer is from. */
  from: string;
  low: number | null;
  expected: number | null;
  most: number | null;
  /** To the current model, as it is expected. */
  difference: number | null;
  says: string;
  contextLeft: number | null;
  /** Per million tokens. */
  price: { input: number; output: number; perRequest: number; source: string } | null;
  budgets: readonly Fit[];
}

/** How one budget takes it. */
export interface Fit {
  budget: string;
  how: "whole" | "shorter" | "no";
  asks: boolean;
  answerTokens: number | null;
}

/** What is in the way of asking one model. */
export interface NoQuote {
  asked: string;
  error: { code: string; message: string; hint: string };
}

export type Quoted = Quote | NoQuote;

/** A yes-or-no that types understand. */
export function isQuote(quoted: Quoted | undefined | null): quoted is Quote {
  return quoted !== undefined && quoted !== null && !("error" in quoted);
}

/** What the request would cost at each of these models, `current` beside them. Nothing is sent to a provider. Throws a
 * `Problem` where none of them can be asked. */
export async function quote(
  request: Omit<ChatRequest, "model">,
  models: readonly string[],
  manner: { current?: string; signal?: AbortSignal } = {},
): Promise<readonly Quoted[]> {
  const { current, signal } = manner;
  const response = await post("/api/byok/quote", { request, models, ...(current && { current }) }, { signal });
  const told: { quotes: readonly Told[] } = await response.json();
  return told.quotes.map(read);
}

interface Told {
  model: string;
  asked: string;
  error: { code: string; message: string; hint: string } | null;
  input_tokens: { expected: number; exact: boolean };
  output_tokens: { expected: number; cap: number; from: string };
  low_usd: string | null;
  expected_usd: string | null;
  ceiling_usd: string | null;
  difference_usd: string | null;
  says: string;
  context_left: number | null;
  price: { input: number; output: number; per_request: number; source: string } | null;
  budgets: readonly { budget: string; how: Fit["how"]; asks: boolean; answer_tokens: number | null }[];
}

function read(told: Told): Quoted {
  if (told.error) return { asked: told.asked, error: told.error };
  const { price } = told;
  return {
    model: told.model,
    asked: told.asked,
    input: told.input_tokens.expected,
    exact: told.input_tokens.exact,
    output: told.output_tokens.expected,
    cap: told.output_tokens.cap,
    from: told.output_tokens.from,
    low: nano(told.low_usd),
    expected: nano(told.expected_usd),
    most: nano(told.ceiling_usd),
    difference: nano(told.difference_usd),
    says: told.says,
    contextLeft: told.context_left,
    price: price && { ...price, perRequest: price.per_request },
    budgets: told.budgets.map((one) => ({ ...one, answerTokens: one.answer_tokens })),
  };
}
