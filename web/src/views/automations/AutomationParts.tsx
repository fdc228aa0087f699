import {
  Button,
  Collapse,
  Fieldset,
  JsonInput,
  MultiSelect,
  NativeSelect,
  NumberInput,
  Stack,
  Text,
  Textarea,
  TextInput,
} from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { AmountField } from "../budgets/AmountField";
import { type Draft, fieldsOf, schemaFault } from "./draft";
import type { Variable } from "./known";

interface Part {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
}

const TAKES = [
  { value: "text", label: "Text" },
  { value: "csv", label: "CSV" },
  { value: "xlsx", label: "Excel" },
  { value: "pdf", label: "PDF" },
  { value: "image", label: "Picture" },
];

/** What each run fills in, one by one. */
export function Fields({ draft, change }: Part) {
  const fields = fieldsOf(draft);
  if (fields.length === 0) return null;
  const set = (name: string, one: Variable, part: Partial<Variable>) =>
    change({ variables: { ...draft.variables, [name]: { ...one, ...part } } });
  return (
    <Stack gap="xs">
      {fields.map(([name, one]) => (
        <Fieldset key={name} legend={`Field ${name}`} p="xs">
          <Stack gap="xs">
            <TextInput
              label="What it is"
              value={one.description}
              maxLength={500}
              onChange={(event) => set(name, one, { description: event.currentTarget.value })}
            />
            <NativeSelect
              label="Given as"
              data={[
                { value: "text", label: "Text" },
                { value: "file", label: "A file" },
              ]}
              value={one.kind}
              onChange={(event) => set(name, one, { kind: event.currentTarget.value })}
            />
            {one.kind === "file" ? (
              <MultiSelect
                label="Which files"
                placeholder={one.takes.length === 0 ? "Any" : undefined}
                data={TAKES}
                value={[...one.takes]}
                onChange={(takes) => set(name, one, { takes })}
              />
            ) : (
              <TextInput
                label="Where nothing is given"
                placeholder="It has to be given"
                value={one.default ?? ""}
                onChange={(event) => set(name, one, { default: event.currentTarget.value || null })}
              />
            )}
          </Stack>
        </Fieldset>
      ))}
    </Stack>
  );
}

/** What one run may cost at most. */
export function RunLimit({ draft, change }: Part) {
  return (
    <AmountField
      label="Each run costs at most"
      unit="usd"
      value={draft.limit}
      change={(limit) => change({ limit })}
      description="Retries and other models that step in count too. Empty: your budgets alone."
    />
  );
}

/** What few need. */
export function More({ draft, change, started }: Part & { started: boolean }) {
  const [opened, { toggle }] = useDisclosure(draft.schema !== "" && !started);
  return (
    <div>
      <Button variant="subtle" size="xs" onClick={toggle} aria-expanded={opened}>
        {opened ? "Fewer settings" : "More settings"}
      </Button>
      <Collapse expanded={opened}>
        <Stack gap="sm" mt="xs">
          <Textarea
            label="Instruction"
            description="Said to the model before the prompt."
            autosize
            minRows={2}
            value={draft.instruction}
            onChange={(event) => change({ instruction: event.currentTarget.value })}
          />
          {started ? (
            <Text size="sm" className="quiet">
              Its fields and the form of its answer are the starter's own.
            </Text>
          ) : (
            <JsonInput
              label="Form of the answer"
              description="A JSON Schema. With one, the answer is JSON of that form, and is shown in tables."
              autosize
              minRows={3}
              formatOnBlur
              value={draft.schema}
              onChange={(schema) => change({ schema })}
              error={schemaFault(draft.schema)}
              spellCheck={false}
            />
          )}
          <NumberInput
            label="Answer has at most"
            suffix=" tokens"
            placeholder="As the limits pay for"
            min={1}
            allowDecimal={false}
            thousandSeparator=","
            value={draft.maxTokens ?? ""}
            onChange={(value) => change({ maxTokens: value === "" ? null : Number(value) })}
          />
          <NumberInput
            label="Results are kept for"
            description="Sealed by the vault. 0: not at all."
            suffix=" days"
            min={0}
            max={3650}
            allowDecimal={false}
            value={draft.keepDays}
            onChange={(value) => change({ keepDays: Number(value) || 0 })}
          />
        </Stack>
      </Collapse>
    </div>
  );
}
