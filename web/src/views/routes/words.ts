import type { Shape } from "../../api/client";
import type { Tone } from "../../parts/State";

export type Route = Shape<"RouteShape">;
export type Choose = Route["choose"];
export type Task = NonNullable<Route["task"]>;
export type HealthState = Shape<"TargetHealthShape">["state"];

export const CHOOSE: readonly { value: Choose; label: string; says: string }[] = [
  { value: "listed", label: "In order", says: "The first that can, from the top." },
  { value: "cheapest", label: "Cheapest", says: "By what this request is expected to cost there." },
  { value: "fastest", label: "Fastest", says: "By the time that its answers took lately." },
  { value: "best", label: "Best for a task", says: "By the scores of a dated board." },
  { value: "balanced", label: "Balanced", says: "Half quality, a quarter cost, a quarter speed." },
  { value: "learned", label: "Learned", says: "By what answers like it were worth to you." },
];

export const TASKS: readonly { value: Task; label: string }[] = [
  { value: "code", label: "Code" },
  { value: "reasoning", label: "Reasoning" },
  { value: "writing", label: "Writing" },
  { value: "vision", label: "Pictures" },
  { value: "long-context", label: "Long texts" },
  { value: "embeddings", label: "Embeddings" },
];

export function chooses(route: Pick<Route, "choose" | "task">): string {
  const way = CHOOSE.find((one) => one.value === route.choose)?.label ?? route.choose;
  const task = TASKS.find((one) => one.value === route.task)?.label.toLowerCase();
  return task ? `${route.choose === "best" ? "Best" : way} for ${task}` : way;
}

export const STATES: Record<HealthState, { tone: Tone; word: string }> = {
  well: { tone: "good", word: "Answers" },
  failing: { tone: "warn", word: "Failing" },
  resting: { tone: "bad", word: "Rests after failures" },
  probing: { tone: "warn", word: "Being tried" },
  quiet: { tone: "warn", word: "Says nothing" },
  unknown: { tone: "quiet", word: "Not asked lately" },
};

export const FAILURES = [
  { value: "", label: "answers" },
  { value: "unavailable", label: "is unavailable (503)" },
  { value: "rate_limited", label: "says too much was asked (429)" },
  { value: "key_refused", label: "refuses the key (401)" },
  { value: "silent", label: "says nothing in time" },
] as const;

/** A way of failing by which somebody may have been charged all the same. */
export const PERHAPS_BILLED = "silent";

export const AUTO = "auto";
export const EVERY = "auto:every";
