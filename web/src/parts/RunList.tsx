import { Anchor, Table, Text } from "@mantine/core";
import { Link } from "react-router";
import type { Shape } from "../api/client";
import { Money, Tokens, When } from "./Figures";
import { duration } from "./figures";
import { State, type Tone } from "./State";

export type Run = Shape<"RunShape">;

/** A run's end in a word. */
export function endOf(run: Pick<Run, "state" | "error" | "finish">): [Tone, string] {
  if (run.state === "held") return ["warn", "runs"];
  if (run.error) return ["bad", run.error.replaceAll("_", " ")];
  return run.finish === "length" ? ["warn", "cut short"] : ["good", "answered"];
}

/** Runs, each opening to its tries at `/usage/runs/…`; on a phone what matters least is left out. `search` is kept. */
export function RunList({ runs, search = "" }: { runs: readonly Run[]; search?: string }) {
  return (
    <Table.ScrollContainer minWidth={0} scrollAreaProps={{ viewportProps: { tabIndex: 0, "aria-label": "Runs" } }}>
      <Table verticalSpacing={6} highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">When</Table.Th>
            <Table.Th scope="col">Model</Table.Th>
            <Table.Th scope="col" visibleFrom="sm">
              End
            </Table.Th>
            <Table.Th scope="col" visibleFrom="sm" ta="right">
              Tokens
            </Table.Th>
            <Table.Th scope="col" visibleFrom="sm" ta="right">
              Took
            </Table.Th>
            <Table.Th scope="col" ta="right">
              Cost
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {runs.map((run) => (
            <Table.Tr key={run.id}>
              <Table.Td style={{ whiteSpace: "nowrap" }}>
                <Anchor component={Link} to={`/usage/runs/${encodeURIComponent(run.id)}${search}`} size="sm">
                  <When ms={run.started_at_ms} />
                </Anchor>
              </Table.Td>
              <Table.Td style={{ overflowWrap: "anywhere" }}>
                <Text size="sm">{run.model}</Text>
                <Text size="xs" className="quiet">
                  {run.provider}
                  {run.tries > 1 && `, ${run.tries} tries`}
                  {run.automation && `, ${run.automation}`}
                </Text>
              </Table.Td>
              <Table.Td visibleFrom="sm">
                <State tone={endOf(run)[0]}>{endOf(run)[1]}</State>
              </Table.Td>
              <Table.Td visibleFrom="sm" ta="right">
                <Tokens count={(run.input_tokens ?? 0) + (run.output_tokens ?? 0)} />
              </Table.Td>
              <Table.Td visibleFrom="sm" ta="right" className="figures">
                {run.ended_at_ms === null ? "" : duration(run.ended_at_ms - run.started_at_ms)}
              </Table.Td>
              <Table.Td ta="right">
                <Money nanoUsd={run.priced ? run.cost_nano : null} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
