import { Box, Group, List, Stack, Table, Text, Title } from "@mantine/core";
import { Money, Tokens } from "../../parts/Figures";
import { duration } from "../../parts/figures";
import { State, type Tone } from "../../parts/State";
import type { AutomationRun } from "./known";

export const STATUS: Record<AutomationRun["status"], { tone: Tone; word: string }> = {
  running: { tone: "warn", word: "Running" },
  done: { tone: "good", word: "Done" },
  partly: { tone: "warn", word: "Done in part" },
  failed: { tone: "bad", word: "Failed" },
};

const MOST_ROWS = 200;

/** What a run gave, and what it cost. */
export function Gave({ run }: { run: AutomationRun }) {
  const status = STATUS[run.status];
  return (
    <Box className="card" component="section" aria-label="What the run gave">
      <Group gap="md" mb="sm">
        <State tone={status.tone}>{status.word}</State>
        <Text size="sm">
          Cost <Money nanoUsd={run.priced ? run.cost_nano : null} />
        </Text>
        <Text size="sm" className="quiet">
          <Tokens count={run.input_tokens} /> in, <Tokens count={run.output_tokens} /> out
        </Text>
        {run.ended_at_ms !== null && (
          <Text size="sm" className="quiet">
            {duration(run.ended_at_ms - run.at_ms)}
          </Text>
        )}
        <Text size="sm" className="quiet" style={{ overflowWrap: "anywhere" }}>
          {run.model}
        </Text>
      </Group>
      {run.error && (
        <Text c="var(--bad)" mb="sm">
          {run.error}
        </Text>
      )}
      {run.notes && run.notes.length > 0 && (
        <List size="sm" mb="sm">
          {run.notes.map((note) => (
            <List.Item key={note}>{note}</List.Item>
          ))}
        </List>
      )}
      {run.result ? (
        <Stack gap="md">
          {Object.entries(run.result).map(([name, value]) => (
            <Box key={name}>
              {name !== "output" && (
                <Title order={3} mb={4}>
                  {worded(name)}
                </Title>
              )}
              <Value name={name} value={value} />
            </Box>
          ))}
        </Stack>
      ) : (
        run.status !== "running" && <Text className="quiet">What it gave is not kept.</Text>
      )}
    </Box>
  );
}

/** Lists of objects as tables, texts as texts, all else by its parts. */
function Value({ name, value }: { name: string; value: unknown }) {
  if (value === null || value === undefined || value === "") return <Text className="quiet">None</Text>;
  if (typeof value === "string")
    return <Text style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>{value}</Text>;
  if (typeof value !== "object") return <Text className="figures">{plainly(value)}</Text>;
  if (!Array.isArray(value)) return <Parts value={Object.entries(value)} />;
  if (value.length === 0) return <Text className="quiet">None</Text>;
  if (value.every(isRecord)) return <Rows name={name} rows={value} />;
  return (
    <List size="md">
      {value.slice(0, MOST_ROWS).map((one) => (
        <List.Item key={plainly(one)}>{plainly(one)}</List.Item>
      ))}
    </List>
  );
}

function Parts({ value }: { value: readonly [string, unknown][] }) {
  return (
    <Stack gap={4} pl="sm">
      {value.map(([name, one]) => (
        <Box key={name}>
          <Text span fw={600} size="sm">
            {worded(name)}
          </Text>{" "}
          {isFlat(one) ? (
            <span style={{ overflowWrap: "anywhere" }}>{plainly(one)}</span>
          ) : (
            <Value name={name} value={one} />
          )}
        </Box>
      ))}
    </Stack>
  );
}

function Rows({ name, rows }: { name: string; rows: readonly Readonly<Record<string, unknown>>[] }) {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return (
    <Table.ScrollContainer
      minWidth={Math.min(720, columns.length * 130)}
      scrollAreaProps={{ viewportProps: { tabIndex: 0, "aria-label": worded(name) } }}
    >
      <Table verticalSpacing={6}>
        <Table.Thead>
          <Table.Tr>
            {columns.map((column) => (
              <Table.Th key={column} scope="col">
                {worded(column)}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.slice(0, MOST_ROWS).map((row, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows have no names of their own, and stay where they are
            <Table.Tr key={at}>
              {columns.map((column) => (
                <Table.Td key={column} style={{ overflowWrap: "anywhere" }}>
                  {plainly(row[column])}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {rows.length > MOST_ROWS && (
        <Text size="sm" className="quiet">
          and {rows.length - MOST_ROWS} more
        </Text>
      )}
    </Table.ScrollContainer>
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isFlat(value: unknown): boolean {
  return value === null || typeof value !== "object";
}

function plainly(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value) && value.every(isFlat)) return value.map(plainly).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function worded(name: string): string {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
