import { Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, type Shape, told } from "../../api/client";
import { ZONE } from "../../api/zone";
import { Money } from "../../parts/Figures";
import { money, plural } from "../../parts/figures";
import { Answered } from "../../parts/States";

type SavingsShape = Shape<"SavingsShape">;

/** What was not spent this month, by each way. */
export function Savings() {
  const savings = useQuery({
    queryKey: ["usage", "savings"],
    queryFn: () => told(api.GET("/api/byok/usage/savings", { params: { query: { zone: ZONE } } })),
  });
  return <Answered query={savings}>{(found) => <Shown savings={found} />}</Answered>;
}

function Shown({ savings }: { savings: SavingsShape }) {
  const ways = [
    { name: "Answers given again from the cache", ...savings.cache, one: "answer", more: "answers" },
    { name: "Prompts that a provider had kept", ...savings.cached_prompts, one: "try", more: "tries" },
    { name: "Batches at half the price", ...savings.batches, one: "try", more: "tries" },
  ];
  const sum = ways.reduce((total, way) => total + way.saved_nano, 0);
  return (
    <Stack>
      <Text fz={18} className="figures">
        {sum > 0 ? `${money(sum)} was saved this month.` : "Nothing was saved this month yet."}
      </Text>
      <section className="card" aria-label="By each way">
        <Table verticalSpacing={6}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">How</Table.Th>
              <Table.Th scope="col" ta="right">
                Saved
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {ways.map((way) => (
              <Table.Tr key={way.name}>
                <Table.Th scope="row" fw={400}>
                  {way.name} <span className="quiet">({plural(way.count, way.one, way.more)})</span>
                </Table.Th>
                <Table.Td ta="right">
                  <Money nanoUsd={way.saved_nano} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </section>
      {savings.choices.length > 0 && (
        <section className="card" aria-labelledby="choices">
          <Title order={2} id="choices" mb="sm">
            Beside one model for everything
          </Title>
          <Table verticalSpacing={6}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">With</Table.Th>
                <Table.Th scope="col" ta="right">
                  It would have cost
                </Table.Th>
                <Table.Th scope="col" ta="right">
                  Saved
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {savings.choices.map((one) => (
                <Table.Tr key={`${one.provider}/${one.model}`}>
                  <Table.Th scope="row" fw={400} style={{ overflowWrap: "anywhere" }}>
                    {one.model} at {one.provider}
                  </Table.Th>
                  <Table.Td ta="right">
                    <Money nanoUsd={one.instead_nano} />
                  </Table.Td>
                  <Table.Td ta="right">
                    <Money nanoUsd={one.saved_nano} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </section>
      )}
    </Stack>
  );
}
