/** An answer as it comes: pieces, and what they add up to. Pure. */

export interface Call {
  id: string;
  name: string;
  /** JSON, as far as it has come. */
  arguments: string;
  /** What its provider wants back with it, unread. */
  extra?: unknown;
}

export interface Usage {
  input: number | null;
  output: number | null;
  reasoning: number | null;
  cached: number | null;
}

/** Who answers: told before the first word. */
export interface Answerer {
  /** The run, as the book knows it. */
  run: string;
  provider: string;
  model: string;
  attempts: number;
  /** What could not be honoured. */
  warning: string | null;
  /** Given again from the cache, so many seconds old. */
  cachedS: number | null;
}

export type Piece =
  | { kind: "begun"; by: Answerer }
  | { kind: "text" | "reasoning" | "refusal"; text: string }
  | { kind: "call"; index: number; id?: string; name?: string; arguments: string; extra?: unknown }
  | { kind: "picture"; url: string }
  | { kind: "details"; details: readonly unknown[] }
  | { kind: "usage"; usage: Usage }
  | { kind: "finish"; reason: string }
  | { kind: "carried"; models: readonly string[] };

export interface Answer {
  by: Answerer | null;
  text: string;
  reasoning: string;
  refusal: string;
  calls: readonly Call[];
  pictures: readonly string[];
  /** Seals of what was thought, which the provider wants back with a tool's result. */
  details: readonly unknown[];
  usage: Usage | null;
  finish: string | null;
  /** Who gave it, first to last, where one went on for another. */
  carriedBy: readonly string[];
}

export const NOTHING: Answer = {
  by: null,
  text: "",
  reasoning: "",
  refusal: "",
  calls: [],
  pictures: [],
  details: [],
  usage: null,
  finish: null,
  carriedBy: [],
};

/** The answer with one piece more. */
export function grown(answer: Answer, piece: Piece): Answer {
  switch (piece.kind) {
    case "begun":
      return { ...answer, by: piece.by };
    case "text":
    case "reasoning":
    case "refusal":
      return { ...answer, [piece.kind]: answer[piece.kind] + piece.text };
    case "call":
      return { ...answer, calls: called(answer.calls, piece) };
    case "picture":
      return { ...answer, pictures: [...answer.pictures, piece.url] };
    case "details":
      return { ...answer, details: [...answer.details, ...piece.details] };
    case "usage":
      return { ...answer, usage: piece.usage };
    case "finish":
      return { ...answer, finish: piece.reason };
    case "carried":
      return { ...answer, carriedBy: piece.models };
  }
}

function called(calls: readonly Call[], piece: Extract<Piece, { kind: "call" }>): readonly Call[] {
  const before = calls[piece.index] ?? { id: "", name: "", arguments: "" };
  const next = [...calls];
  next[piece.index] = {
    id: before.id || (piece.id ?? `call_${piece.index}`),
    name: before.name || (piece.name ?? ""),
    arguments: before.arguments + piece.arguments,
    extra: before.extra ?? piece.extra,
  };
  return next;
}

/** Whether anything came that a person can use. */
export function saysSomething(answer: Answer): boolean {
  return Boolean(answer.text || answer.refusal || answer.calls.length || answer.pictures.length);
}

/** About how many tokens have come so far; providers tell at the end alone. Four letters are about one. */
export function tokensSoFar(answer: Answer): number {
  const calls = answer.calls.reduce((sum, call) => sum + call.name.length + call.arguments.length, 0);
  return Math.ceil((answer.text.length + answer.reasoning.length + answer.refusal.length + calls) / 4);
}
