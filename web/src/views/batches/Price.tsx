import { List, Stack, Table, Text } from "@mantine/core";
import { onPage } from "../../api/words";
import { Money } from "../../parts/Figures";
import { count, nano, plural } from "../../parts/figures";
import type { BatchQuote, Cost } from "./gateway";

const MOST_SHOWN = 6;

/** What a batch would cost: the whole in a sentence, then each model, dearest first. `savedNano`: what the providers'
 * own endpoints take off it, where they are wanted. */
export function Price({ quote, savedNano }: { quote: BatchQuote; savedNano: number }) {
  const { total, models, refused } = quote;
  const expected = nano(total.expected_usd);
  const shown = models.slice(0, MOST_SHOWN);
  return (
    <Stack gap="xs">
      {total.lines > total.unknown && (
        <Text size="md">
          All of it will cost <Money nanoUsd={expected === null ? null : expected - savedNano} about />,{" "}
          <Money nanoUsd={nano(total.ceiling_usd)} most />.
        </Text>
      )}
      {shown.length > 0 && (
        <Table aria-label="Price of each model" verticalSpacing={4}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">Model</Table.Th>
              <Table.Th scope="col" ta="right">
                Requests
              </Table.Th>
              <Table.Th scope="col" ta="right" visibleFrom="sm">
                At least
              </Table.Th>
              <Table.Th scope="col" ta="right">
                Expected
              </Table.Th>
              <Table.Th scope="col" ta="right">
                At most
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {shown.map((one) => (
              <Table.Tr key={one.model}>
                <Table.Th scope="row" fw={400} style={{ overflowWrap: "anywhere" }}>
                  {one.model}
                </Table.Th>
                <Table.Td ta="right">{count(one.lines)}</Table.Td>
                <Amount of={one} usd={one.low_usd} visibleFrom="sm" />
                <Amount of={one} usd={one.expected_usd} />
                <Amount of={one} usd={one.ceiling_usd} />
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      {models.length > shown.length && (
        <Text size="sm" className="quiet">
          And {plural(models.length - shown.length, "more model", "more models")}.
        </Text>
      )}
      {total.unknown > 0 && (
        <Text c="var(--warn)">
          Of {plural(total.unknown, "request", "requests")} the price is not known: none of these sums has them.
        </Text>
      )}
      {refused.length > 0 && (
        <List size="sm" c="var(--warn)">
          {refused.slice(0, MOST_SHOWN).map((one) => (
            <List.Item key={one.message}>
              {plural(one.lines, "request", "requests")} cannot be asked: {onPage(one.message).says}
            </List.Item>
          ))}
        </List>
      )}
    </Stack>
  );
}

function Amount({ of, usd, visibleFrom }: { of: Cost; usd: string; visibleFrom?: "sm" }) {
  return (
    <Table.Td ta="right" visibleFrom={visibleFrom}>
      <Money nanoUsd={of.unknown === of.lines ? null : nano(usd)} />
    </Table.Td>
  );
}
