import { Group, Stack, TextInput } from "@mantine/core";
import type { Shape } from "../../api/client";
import { asProblem } from "../../api/problem";
import type { Key } from "./data";

/** A key's terms as they are typed. */
export interface TermsGiven {
  label: string;
  expires: string;
  models: string;
  limit: string;
  weight: string;
}

export const NO_TERMS: TermsGiven = { label: "", expires: "", models: "", limit: "", weight: "" };

export function Terms({
  terms,
  change,
  error,
}: {
  terms: TermsGiven;
  change: (terms: TermsGiven) => void;
  error?: unknown;
}) {
  const problem = error === null || error === undefined ? null : asProblem(error);
  const field = (name: keyof TermsGiven, param: string) => ({
    value: terms[name],
    onChange: (event: React.ChangeEvent<HTMLInputElement>) => change({ ...terms, [name]: event.currentTarget.value }),
    error: problem?.param === param ? problem.said : undefined,
    autoComplete: "off",
  });
  return (
    <Stack gap="sm">
      <TextInput
        label="Label"
        description="Tells it from your other keys."
        placeholder="default"
        maxLength={40}
        {...field("label", "label")}
      />
      <TextInput
        label="Only for these models"
        description="As the provider names them, * for any letters. Empty: for all."
        placeholder="gpt-4o*, o3"
        spellCheck={false}
        {...field("models", "models")}
      />
      <Group grow align="flex-start" gap="sm">
        <TextInput
          label="Limit per month"
          leftSection="$"
          inputMode="decimal"
          placeholder="none"
          {...field("limit", "monthly_limit")}
        />
        <TextInput label="Last day" type="date" {...field("expires", "expires")} />
      </Group>
      <TextInput
        label="Weight"
        description="Its share beside your other keys of this provider. Empty: they are tried in order."
        inputMode="numeric"
        placeholder="none"
        {...field("weight", "weight")}
      />
    </Stack>
  );
}

type Sent = Pick<Shape<"KeyForm">, "expires" | "models" | "monthly_limit" | "weight"> & { label: string };

function sent(terms: TermsGiven): Sent {
  return {
    label: terms.label.trim() || "default",
    expires: terms.expires || null,
    models: terms.models.split(/[\s,]+/).filter(Boolean),
    monthly_limit: terms.limit.trim().replace(/^\$/, "") || null,
    weight: terms.weight.trim() === "" ? null : Number(terms.weight),
  };
}

/** Of a new key: only what was given. */
export function termsOf(terms: TermsGiven): Partial<Sent> {
  const all = sent(terms);
  const given = Object.entries(all).filter(
    ([, value]) => value !== null && !(Array.isArray(value) && value.length === 0),
  );
  return Object.fromEntries(given);
}

/** As they stand now. */
export function termsOfKey(key: Key): TermsGiven {
  return {
    label: key.label,
    expires: key.expires_at_ms === null ? "" : dayOf(key.expires_at_ms),
    models: key.models.join(", "),
    limit: key.limit_nano === null ? "" : String(key.limit_nano / 1e9),
    weight: key.weight === null ? "" : String(key.weight),
  };
}

/** Only what is other than it was; a term that was emptied is taken away. */
export function changedTerms(before: TermsGiven, after: TermsGiven): Shape<"ChangeForm"> {
  const all = sent(after);
  return {
    ...(before.label !== after.label && { label: all.label }),
    ...(before.expires !== after.expires && { expires: all.expires }),
    ...(before.models !== after.models && { models: all.models?.length ? all.models : null }),
    ...(before.limit !== after.limit && { monthly_limit: all.monthly_limit }),
    ...(before.weight !== after.weight && { weight: all.weight }),
  };
}

/** A day holds to its end: what expires at midnight was good until the day before. */
function dayOf(ms: number): string {
  const day = new Date(ms - 1);
  const two = (part: number) => String(part).padStart(2, "0");
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}
