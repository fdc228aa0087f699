import type { Shape } from "../../api/client";
import { plain, typed } from "../budgets/amount";
import { type Automation, type Starter, type Variable, variablesIn } from "./known";

/** An automation as it is being written. */
export interface Draft {
  name: string;
  description: string;
  prompt: string;
  instruction: string;
  variables: Readonly<Record<string, Variable>>;
  model: string | null;
  limit: string;
  schema: string;
  maxTokens: number | null;
  keepDays: number;
}

const KEEP_DAYS = 90;
const TEXT: Variable = { description: "", kind: "text", default: null, takes: [] };

export function draftOf(from: Automation | Starter | null): Draft {
  return {
    name: from?.name ?? "",
    description: from?.description ?? "",
    prompt: from?.prompt ?? "",
    instruction: from?.instruction ?? "",
    variables: from?.variables ?? {},
    model: from?.model ?? null,
    limit: typed(from?.limit_nano ?? null, "usd"),
    schema: from?.output_schema ? JSON.stringify(from.output_schema, null, 2) : "",
    maxTokens: from?.max_output_tokens ?? null,
    keepDays: from?.keep_days ?? KEEP_DAYS,
  };
}

/** The fields that its words have, in their order. */
export function fieldsOf(draft: Draft): readonly [string, Variable][] {
  const named = new Set([...variablesIn(draft.prompt), ...variablesIn(draft.instruction)]);
  return [...named].map((name) => [name, draft.variables[name] ?? TEXT]);
}

/** What is wrong with a schema as it stands; null where it is one, or nothing. */
export function schemaFault(text: string): string | null {
  if (text.trim() === "") return null;
  try {
    const found: unknown = JSON.parse(text);
    return typeof found === "object" && found !== null && !Array.isArray(found) ? null : "A JSON Schema is an object.";
  } catch {
    return "This is no JSON yet.";
  }
}

/** A starter keeps its own fields and schema: what is done around the model relies on them. */
export function bodyOf(draft: Draft, starter: boolean): Shape<"AutomationForm"> {
  const own = starter
    ? {}
    : {
        variables: Object.fromEntries(
          fieldsOf(draft).map(([name, one]) => [name, { ...one, takes: [...one.takes], default: one.default || null }]),
        ),
        output_schema: draft.schema.trim() === "" ? null : JSON.parse(draft.schema),
      };
  return {
    ...own,
    prompt: draft.prompt,
    description: draft.description.trim(),
    instruction: draft.instruction,
    limit: plain(draft.limit) || null,
    max_output_tokens: draft.maxTokens,
    keep_days: draft.keepDays,
  };
}
