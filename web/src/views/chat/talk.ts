/** What is said in a conversation, and what a request is made of it. Pure, but for reading files. */

import { type Answer, saysSomething } from "../../api/answer";
import type { ChatRequest, Consent, Message, Part } from "../../api/chat";
import type { Problem } from "../../api/problem";
import type { Quote } from "../../api/quote";
import type { Run } from "../../api/run";

export const MOST_LANES = 4;

/** A model as it is called on the page. */
export function called(model: string): string {
  return model === "auto" ? "Ownkey chooses" : model;
}

/** A file that goes with a prompt. `url` shows a picture; it is the browser's own, and no data. */
export interface Attached {
  readonly id: number;
  readonly name: string;
  readonly bytes: number;
  readonly kind: "picture" | "text";
  readonly file: File;
  readonly url: string | null;
}

export interface Prompt {
  readonly text: string;
  readonly attached: readonly Attached[];
  /** Of an earlier conversation: what was attached then, and is not kept. */
  readonly gone?: readonly string[];
}

/** `consent`: it waits for a yes. `waiting`: it asks again by itself at `againMs`. */
export type StepState = "coming" | "whole" | "stopped" | "failed" | "consent" | "waiting";

/** One request and its answer. */
export interface Step {
  readonly request: ChatRequest;
  readonly answer: Answer;
  readonly state: StepState;
  readonly problem: Problem | null;
  readonly consent: Consent | null;
  readonly againMs: number | null;
  readonly tries: number;
  readonly startedMs: number;
  readonly firstMs: number | null;
  readonly endedMs: number | null;
  /** What was expected of it, with the rates that the running count is made with. */
  readonly quote: Quote | null;
  /** As the book has it; undefined until that was looked up, null where the book has nothing. */
  readonly run: Run | null | undefined;
  /** What the person gave for each call. */
  readonly results: Readonly<Record<string, string>>;
}

/** One answer to a prompt: several steps where functions were called between. */
export interface Take {
  readonly id: number;
  readonly model: string;
  readonly steps: readonly Step[];
}

export interface Turn {
  readonly id: number;
  readonly prompt: Prompt;
  /** By lane; the last is the newest. */
  readonly takes: Readonly<Record<string, readonly Take[]>>;
  readonly shown: Readonly<Record<string, number>>;
}

/** A column: one model, and the conversation with it. */
export interface Lane {
  readonly id: string;
  readonly model: string;
}

export interface Settings {
  readonly system: string;
  readonly temperature: number | null;
  readonly cap: number | null;
  readonly effort: "" | "low" | "medium" | "high";
  readonly form: "text" | "json" | "schema";
  readonly schema: string;
  readonly tools: string;
}

export const PLAIN: Settings = {
  system: "",
  temperature: null,
  cap: null,
  effort: "",
  form: "text",
  schema: "",
  tools: "",
};

export function shownTake(turn: Turn, lane: string): Take | undefined {
  const takes = turn.takes[lane] ?? [];
  return takes[turn.shown[lane] ?? takes.length - 1];
}

export function lastStep(take: Take): Step | undefined {
  return take.steps.at(-1);
}

export function isBusy(step: Step | undefined): boolean {
  return step?.state === "coming" || step?.state === "waiting";
}

/** Whether the person has to give results before it goes on. */
export function wantsResults(step: Step): boolean {
  return step.state === "whole" && step.answer.calls.length > 0;
}

/** What the settings ask for besides. Throws an Error that says what cannot be read. */
export function fieldsOf(settings: Settings): Omit<ChatRequest, "model" | "messages"> {
  const tools = toolsOf(settings.tools);
  return {
    ...(settings.temperature !== null && { temperature: settings.temperature }),
    ...(settings.cap !== null && { max_completion_tokens: settings.cap }),
    ...(settings.effort && { reasoning_effort: settings.effort }),
    ...(tools.length > 0 && { tools }),
    ...(settings.form === "json" && { response_format: { type: "json_object" } }),
    ...(settings.form === "schema" && {
      response_format: { type: "json_schema", json_schema: { name: "answer", schema: schemaOf(settings.schema) } },
    }),
  };
}

export function schemaOf(text: string): unknown {
  const schema = parsed(text, "The schema");
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) {
    throw new Error('The schema is a JSON object, such as {"type": "object", …}.');
  }
  return schema;
}

/** A list of functions; each bare, as `{"name": …}`, or in the form in which providers take it. */
export function toolsOf(text: string): readonly unknown[] {
  if (!text.trim()) return [];
  const given = parsed(text, "The list of functions");
  if (!Array.isArray(given)) throw new Error('The functions are a JSON list: [{"name": …}].');
  return given.map((one) => {
    const bare = one?.type === "function" && one.function ? one.function : one;
    if (typeof bare?.name !== "string" || !bare.name) throw new Error("Each function needs a name.");
    return { type: "function", function: { parameters: { type: "object", properties: {} }, ...bare } };
  });
}

function parsed(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${what} is no JSON yet.`);
  }
}

/** Everything that goes to the model of one lane: what was said in it, and then `prompt`. */
export async function messagesOf(
  settings: Settings,
  turns: readonly Turn[],
  lane: string,
  prompt: Prompt | null,
): Promise<readonly Message[]> {
  const messages: Message[] = settings.system.trim() ? [{ role: "system", content: settings.system }] : [];
  for (const turn of turns) {
    const take = shownTake(turn, lane);
    if (!take?.steps.some((step) => saysSomething(step.answer))) continue;
    messages.push(await asked(turn.prompt));
    for (const step of take.steps) messages.push(...answered(step, false));
  }
  if (prompt !== null) messages.push(await asked(prompt));
  return messages;
}

async function asked(prompt: Prompt): Promise<Message> {
  if (prompt.attached.length === 0) return { role: "user", content: prompt.text };
  const parts: Part[] = await Promise.all(prompt.attached.map(partOf));
  if (prompt.text) parts.push({ type: "text", text: prompt.text });
  return { role: "user", content: parts };
}

async function partOf(one: Attached): Promise<Part> {
  const content = await contentOf(one);
  if (one.kind === "picture") return { type: "image_url", image_url: { url: content } };
  return { type: "text", text: `File ${one.name}:\n\n${content}` };
}

const read = new WeakMap<File, Promise<string>>();

/** What is in a file. It is read once: a browser reads no file that has changed since it was chosen. */
function contentOf({ kind, name, file }: Attached): Promise<string> {
  const known = read.get(file);
  if (known) return known;
  const content = (kind === "picture" ? dataOf(file) : file.text()).catch(() => {
    read.delete(file);
    throw new Error(`${name} cannot be read any more: it has changed, or is gone. Attach it again.`);
  });
  read.set(file, content);
  return content;
}

/** A picture as providers take it. */
function dataOf(file: File): Promise<string> {
  return new Promise((done, fail) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result));
    reader.onerror = () => fail(reader.error);
    reader.readAsDataURL(file);
  });
}

/** What was answered, with what the person gave for its calls. `sealed`: with what its provider sealed, for the same
 * model alone; others refuse it. */
export function answered(step: Step, sealed: boolean): readonly Message[] {
  const { answer, results } = step;
  const text = answer.text || answer.refusal;
  if (answer.calls.length === 0) return text ? [{ role: "assistant", content: text }] : [];
  const calls = answer.calls.map((call) => ({
    id: call.id,
    type: "function" as const,
    function: { name: call.name, arguments: call.arguments || "{}" },
    ...(sealed && call.extra !== undefined && { extra_content: call.extra }),
  }));
  const details = sealed && answer.details.length > 0 ? { reasoning_details: answer.details } : {};
  return [
    { role: "assistant", content: text || null, tool_calls: calls, ...details },
    ...answer.calls.map((call): Message => ({ role: "tool", tool_call_id: call.id, content: results[call.id] ?? "" })),
  ];
}

/** What is sent that not every model takes, by the ability that it needs. */
export function needsOf(settings: Settings, turns: readonly Turn[], prompt: Prompt): readonly Need[] {
  const attached = [...turns.flatMap((turn) => turn.prompt.attached), ...prompt.attached];
  return [
    ...(attached.some((one) => one.kind === "picture") ? (["vision"] as const) : []),
    ...(settings.tools.trim() ? (["tools"] as const) : []),
    ...(settings.form === "schema" ? (["json"] as const) : []),
  ];
}

export type Need = "vision" | "tools" | "json";

/** What all answers so far cost, in nano-USD, as the book has it. */
export function spentOf(turns: readonly Turn[]): number {
  return turns
    .flatMap((turn) => Object.values(turn.takes).flat())
    .flatMap((take) => take.steps)
    .reduce((sum, step) => sum + (step.run?.cost_nano ?? 0), 0);
}
