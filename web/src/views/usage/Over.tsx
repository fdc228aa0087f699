import { Anchor, Stack, Table, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, type Shape, told } from "../../api/client";
import { type Bar, Bars } from "../../parts/Bars";
import { Money, Tokens } from "../../parts/Figures";
import { count, duration, money } from "../../parts/figures";
import { Answered, Empty } from "../../parts/States";
import { type Filters, GROUP_WORDS, type Group } from "./filters";

type Total = Shape<"TotalShape">;

const DAY_MS = 86_400_000;
const MOST_PARTS = 7;
const REST = "Others";

function useTotals(filters: Filters, by: (Group | "day")[]) {
  return useQuery({
    queryKey: ["usage", "totals", by, filters.query],
    queryFn: () => told(api.GET("/api/byok/usage", { params: { query: { ...filters.query, by } } })),
  });
}

/** What it cost over time, and the table that follows the same filters. */
export function Over({ filters }: { filters: Filters }) {
  const { group } = filters;
  const daily = useTotals(filters, ["day", group]);
  const totals = useTotals(filters, [group]);
  return (
    <Answered query={totals}>
      {({ totals: found }) =>
        found.length === 0 ? (
          <Empty title="Nothing was asked in this time" action={<Link to="/chat">Open chat</Link>}>
            Whatever is asked through Ownkey is counted here as it happens.
          </Empty>
        ) : (
          <Stack gap="lg">
            <section className="card" aria-labelledby="over">
              <Title order={2} id="over" mb="sm">
                Cost by {GROUP_WORDS[group].toLowerCase()}
              </Title>
              <Bars
                title={`Cost for each day, by ${GROUP_WORDS[group].toLowerCase()}`}
                bars={barsOf(filters, daily.data?.totals ?? [], found)}
                said={money}
              />
            </section>
            <section className="card" aria-label="In figures">
              <Figures filters={filters} totals={found} />
            </section>
          </Stack>
        )
      }
    </Answered>
  );
}

function nameOf(filters: Filters, total: Total): string {
  return filters.names(filters.group, String(total.group[filters.group] ?? ""));
}

/** One bar a day; what is small is drawn as one. */
function barsOf(filters: Filters, daily: readonly Total[], totals: readonly Total[]): Bar[] {
  const dearest = [...totals].sort((one, other) => other.cost_nano - one.cost_nano).slice(0, MOST_PARTS);
  const shown = new Set(dearest.map((total) => nameOf(filters, total)));
  const days = new Map<number, Record<string, number>>();
  for (let at = 0; at < filters.days; at++) days.set(filters.since_ms + at * DAY_MS, {});
  for (const total of daily) {
    const parts = days.get(Number(total.group.day));
    if (!parts) continue;
    const name = nameOf(filters, total);
    const part = shown.has(name) ? name : REST;
    parts[part] = (parts[part] ?? 0) + total.cost_nano;
  }
  return [...days].map(([ms, parts]) => ({ label: labelOf(ms), parts }));
}

function labelOf(ms: number): string {
  return new Date(ms).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
}

function Figures({ filters, totals }: { filters: Filters; totals: readonly Total[] }) {
  const { group } = filters;
  const sorted = [...totals].sort((one, other) => other.cost_nano - one.cost_nano);
  return (
    <Table.ScrollContainer
      minWidth={560}
      scrollAreaProps={{ viewportProps: { tabIndex: 0, "aria-label": "In figures" } }}
    >
      <Table verticalSpacing={6} highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">{GROUP_WORDS[group]}</Table.Th>
            {["Cost", "Runs", "Failed", "Tokens in", "out", "First token", "Took"].map((name) => (
              <Table.Th key={name} scope="col" ta="right">
                {name}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {sorted.map((total) => {
            const id = String(total.group[group] ?? "");
            return (
              <Table.Tr key={id}>
                <Table.Th scope="row" fw={400} style={{ overflowWrap: "anywhere" }}>
                  <Anchor
                    component="button"
                    type="button"
                    size="sm"
                    onClick={() => filters.set({ [group]: id })}
                    ta="left"
                  >
                    {nameOf(filters, total)}
                  </Anchor>
                </Table.Th>
                <Table.Td ta="right">
                  <Money nanoUsd={total.cost_nano} />
                  {total.unpriced > 0 && <span className="quiet"> and {total.unpriced} unknown</span>}
                </Table.Td>
                <Table.Td ta="right" className="figures">
                  {count(total.runs)}
                </Table.Td>
                <Table.Td ta="right" className="figures">
                  {count(total.failed)}
                </Table.Td>
                <Table.Td ta="right">
                  <Tokens count={total.input_tokens} />
                </Table.Td>
                <Table.Td ta="right">
                  <Tokens count={total.output_tokens} />
                </Table.Td>
                <Table.Td ta="right" className="figures">
                  {speed(total.first_p50_ms, total.first_p95_ms)}
                </Table.Td>
                <Table.Td ta="right" className="figures">
                  {speed(total.p50_ms, total.p95_ms)}
                </Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

/** Half of them under the first, nearly all under the second. */
function speed(half?: number | null, most?: number | null): string {
  if (half == null) return "";
  return most == null || most === half ? duration(half) : `${duration(half)} (95 %: ${duration(most)})`;
}
