import { Anchor, Box, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, told } from "../../api/client";
import { Money, When } from "../../parts/Figures";
import { State } from "../../parts/State";
import { Answered } from "../../parts/States";
import { type Automation, pathOf } from "./known";
import { STATUS } from "./Result";

const SHOWN = 50;

/** The runs that were, each with its cost; what one gave opens beside. */
export function Runs({ automation }: { automation: Automation }) {
  const runs = useQuery({
    queryKey: ["runs", "automation", automation.name],
    queryFn: () =>
      told(
        api.GET("/api/automations/{automation}/runs", {
          params: { path: { automation: automation.name }, query: { limit: SHOWN } },
        }),
      ),
  });
  return (
    <Box component="section" mt={40} aria-labelledby="runs">
      <Title order={2} id="runs" mb="xs">
        Runs
      </Title>
      <Answered query={runs}>
        {({ runs: all }) =>
          all.length === 0 ? (
            <Text className="quiet">It was not run yet.</Text>
          ) : (
            <Table.ScrollContainer
              minWidth={0}
              scrollAreaProps={{ viewportProps: { tabIndex: 0, "aria-label": "Runs" } }}
            >
              <Table verticalSpacing={6}>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th scope="col">When</Table.Th>
                    <Table.Th scope="col" visibleFrom="sm">
                      Model
                    </Table.Th>
                    <Table.Th scope="col">End</Table.Th>
                    <Table.Th scope="col" ta="right">
                      Cost
                    </Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {all.map((run) => (
                    <Table.Tr key={run.id}>
                      <Table.Td>
                        <Anchor component={Link} to={pathOf(automation.name, "runs", run.id)} size="sm">
                          <When ms={run.at_ms} />
                        </Anchor>
                      </Table.Td>
                      <Table.Td visibleFrom="sm" style={{ overflowWrap: "anywhere" }}>
                        {run.model}
                      </Table.Td>
                      <Table.Td>
                        <State tone={STATUS[run.status].tone}>{STATUS[run.status].word}</State>
                      </Table.Td>
                      <Table.Td ta="right">
                        <Money nanoUsd={run.priced ? run.cost_nano : null} />
                      </Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
          )
        }
      </Answered>
    </Box>
  );
}
