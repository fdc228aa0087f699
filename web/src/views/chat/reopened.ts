import { type Answer, NOTHING } from "../../api/answer";
import type { Shape } from "../../api/client";
import { size } from "./attach";
import { PLAIN, type Prompt, type Settings, type Step, type Turn } from "./talk";

type Entry = NonNullable<Shape<"KeptShape">["entry"]>;
type Pieces = Entry["answer"];

const LANE = "a";

export const reopen = {
  /** The words of some pieces. */
  text: (pieces: Pieces): string =>
    pieces
      .filter((piece) => piece.kind === "text")
      .map((piece) => piece.text ?? "")
      .join(""),
};

/** A kept chat as a conversation that can go on. Pictures and files are not kept, and are only named. */
export function reopened(
  entry: Entry,
  kept: { at_ms: number; cost_nano: number | null },
  nextId: () => number,
): { turns: readonly Turn[]; settings: Settings; model: string } {
  const system = entry.messages.filter((one) => one.role === "system" || one.role === "developer");
  const turns: Turn[] = [];
  let prompt: Prompt | null = null;
  let steps: Step[] = [];
  const close = () => {
    if (prompt !== null) turns.push(turnOf(prompt, steps, entry.asked, nextId));
    steps = [];
  };
  for (const said of [...entry.messages, { role: "assistant", pieces: entry.answer }]) {
    if (said.role === "user") {
      close();
      prompt = promptOf(said.pieces);
    } else if (said.role === "assistant") {
      steps.push(stepOf(answerOf(said.pieces), entry.asked, kept.at_ms));
    } else if (said.role === "tool") {
      steps = withResults(steps, said.pieces);
    }
  }
  close();
  return {
    turns,
    settings: { ...PLAIN, system: system.map((one) => reopen.text(one.pieces)).join("\n") },
    model: entry.asked,
  };
}

function turnOf(prompt: Prompt, steps: readonly Step[], model: string, nextId: () => number): Turn {
  const take = { id: nextId(), model, steps };
  return { id: nextId(), prompt, takes: { [LANE]: steps.length ? [take] : [] }, shown: {} };
}

function promptOf(pieces: Pieces): Prompt {
  const gone = pieces
    .filter((piece) => piece.kind === "image" || piece.kind === "file")
    .map((piece) => `${piece.name ?? piece.media_type ?? piece.kind}, ${size(piece.bytes ?? 0)}: not kept`);
  return { text: reopen.text(pieces), attached: [], gone };
}

function answerOf(pieces: Pieces): Answer {
  const of = (kind: string) => pieces.filter((piece) => piece.kind === kind);
  return {
    ...NOTHING,
    text: reopen.text(pieces),
    reasoning: of("reasoning")
      .map((piece) => piece.text ?? "")
      .join(""),
    refusal: of("refusal")
      .map((piece) => piece.text ?? "")
      .join(""),
    calls: of("tool_call").map((piece) => ({
      id: piece.call_id ?? "",
      name: piece.name ?? "",
      arguments: piece.text ?? "",
    })),
  };
}

function withResults(steps: readonly Step[], pieces: Pieces): Step[] {
  const last = steps.at(-1);
  if (last === undefined) return [...steps];
  const given = Object.fromEntries(pieces.map((piece) => [piece.call_id ?? "", piece.text ?? ""]));
  return [...steps.slice(0, -1), { ...last, results: { ...last.results, ...given } }];
}

function stepOf(answer: Answer, model: string, atMs: number): Step {
  return {
    request: { model, messages: [] },
    answer,
    state: "whole",
    problem: null,
    consent: null,
    againMs: null,
    tries: 1,
    startedMs: atMs,
    firstMs: null,
    endedMs: atMs,
    quote: null,
    run: null,
    results: {},
  };
}
