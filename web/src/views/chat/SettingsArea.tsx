import { NumberInput, Select, SimpleGrid, Textarea } from "@mantine/core";
import { setSettings } from "./store";
import { type Settings, schemaOf, toolsOf } from "./talk";

const FORMS = [
  { value: "text", label: "Text" },
  { value: "json", label: "JSON" },
  { value: "schema", label: "JSON of a schema" },
] as const;
const EFFORTS = [
  { value: "", label: "As the model likes" },
  { value: "low", label: "A little" },
  { value: "medium", label: "Some" },
  { value: "high", label: "Much" },
] as const;
const TOOL_LIKE = `[{"name": "weather", "description": "The weather of a town",
  "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]}}]`;
const SCHEMA_LIKE = `{"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}`;

/** What is sent with every question of this conversation. */
export function SettingsArea({ settings }: { settings: Settings }) {
  return (
    <div className="card" style={{ marginBottom: 8, maxHeight: "50vh", overflowY: "auto" }}>
      <Textarea
        label="Instruction"
        description="Said to the model before everything else"
        autosize
        minRows={2}
        maxRows={8}
        value={settings.system}
        onChange={(event) => setSettings({ system: event.currentTarget.value })}
        mb="sm"
      />
      <SimpleGrid cols={{ base: 1, xs: 2, md: 4 }} spacing="sm" mb="sm">
        <NumberInput
          label="Temperature"
          placeholder="the model's own"
          min={0}
          max={2}
          step={0.1}
          decimalScale={2}
          value={settings.temperature ?? ""}
          onChange={(value) => setSettings({ temperature: numberOf(value) })}
        />
        <NumberInput
          label="Longest answer, in tokens"
          placeholder="no limit of yours"
          min={1}
          max={1_000_000}
          allowDecimal={false}
          value={settings.cap ?? ""}
          onChange={(value) => setSettings({ cap: numberOf(value) })}
        />
        <Select
          label="Thinking"
          data={[...EFFORTS]}
          value={settings.effort}
          allowDeselect={false}
          onChange={(value) => setSettings({ effort: EFFORTS.find((one) => one.value === value)?.value ?? "" })}
        />
        <Select
          label="Answer as"
          data={[...FORMS]}
          value={settings.form}
          allowDeselect={false}
          onChange={(value) => setSettings({ form: FORMS.find((one) => one.value === value)?.value ?? "text" })}
        />
      </SimpleGrid>
      {settings.form === "schema" && (
        <Textarea
          label="Schema"
          placeholder={SCHEMA_LIKE}
          autosize
          minRows={3}
          maxRows={12}
          mb="sm"
          spellCheck={false}
          styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }}
          value={settings.schema}
          error={settings.schema && wrong(() => schemaOf(settings.schema))}
          onChange={(event) => setSettings({ schema: event.currentTarget.value })}
        />
      )}
      <Textarea
        label="Functions"
        description="A JSON list. A call is shown to you; you say what it gives."
        placeholder={TOOL_LIKE}
        autosize
        minRows={2}
        maxRows={12}
        spellCheck={false}
        styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }}
        value={settings.tools}
        error={settings.tools && wrong(() => toolsOf(settings.tools))}
        onChange={(event) => setSettings({ tools: event.currentTarget.value })}
      />
    </div>
  );
}

function numberOf(value: string | number): number | null {
  return typeof value === "number" ? value : null;
}

function wrong(read: () => unknown): string | null {
  try {
    read();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : "It cannot be read.";
  }
}
