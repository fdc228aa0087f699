import { Stack, TextInput } from "@mantine/core";
import { asProblem } from "../../api/problem";
import type { Provider } from "./data";

type Wanted = Provider["fields_wanted"];

/** What is asked for besides the key, and is no secret: a resource, a region, an account. */
export function Fields({
  wanted,
  values,
  change,
  disabled,
  error,
}: {
  wanted: Wanted;
  values: Readonly<Record<string, string>>;
  change: (values: Record<string, string>) => void;
  disabled?: boolean;
  error?: unknown;
}) {
  const problem = error === null || error === undefined ? null : asProblem(error);
  return (
    <Stack gap="sm">
      {wanted.map((field) => (
        <TextInput
          key={field.name}
          label={titled(field.name)}
          description={field.help}
          placeholder={field.example ?? undefined}
          required={field.required}
          disabled={disabled}
          maxLength={400}
          spellCheck={false}
          autoComplete="off"
          value={values[field.name] ?? field.value ?? ""}
          onChange={(event) => change({ ...values, [field.name]: event.currentTarget.value })}
          error={problem?.param === field.name ? problem.said : undefined}
        />
      ))}
    </Stack>
  );
}

/** `api_version` is "Api version". */
function titled(name: string): string {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Those that are other than they were. */
export function givenFields(wanted: Wanted, values: Readonly<Record<string, string>>): Record<string, string> {
  const changed = wanted.filter((one) => (values[one.name] ?? one.value ?? "") !== (one.value ?? ""));
  return Object.fromEntries(changed.map((one) => [one.name, (values[one.name] ?? "").trim()]));
}

/** The first that is required and not there. */
export function lacking(wanted: Wanted, values: Readonly<Record<string, string>>): string | null {
  const lacks = wanted.find((one) => one.required && !(values[one.name] ?? one.value));
  return lacks ? titled(lacks.name) : null;
}
