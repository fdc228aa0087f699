import { Anchor, Box, Button, Group, Table, Text, Title } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, type Shape, told } from "../../api/client";
import { usePerson } from "../../app/session";
import { count } from "../../parts/figures";
import { Answered } from "../../parts/States";
import { LimitSheet } from "./LimitSheet";
import type { Named } from "./named";

export type RateLimit = Shape<"LimitShape">;

export const KINDS: Record<RateLimit["kind"], string> = {
  provider: "Provider",
  model: "Model",
  key: "Key",
  user: "Person",
  token: "Token",
};

/** How many requests and tokens a minute there may be, and how many calls at once. */
export function Limits({ wanted, named }: { wanted: string | null; named: Named }) {
  const person = usePerson();
  const limits = useQuery({ queryKey: ["limits"], queryFn: () => told(api.GET("/api/byok/limits")) });
  return (
    <Box component="section" mt={40} aria-labelledby="rate-limits">
      <Group justify="space-between" mb="sm">
        <Box maw={640}>
          <Title order={2} id="rate-limits">
            Rate limits
          </Title>
          <Text className="quiet">
            How much is asked in a minute. What is over waits for its turn, so that a provider does not refuse it.
          </Text>
        </Box>
        {person.role !== "viewer" && (
          <Button
            component={Link}
            to="/budgets/limits/new"
            variant="default"
            leftSection={<IconPlus size={16} aria-hidden />}
          >
            Add rate limit
          </Button>
        )}
      </Group>
      <Answered query={limits}>
        {({ limits: all, defaults }) => {
          const set = new Set(all.filter((one) => one.kind === "provider").map((one) => one.name));
          const usual = defaults.filter((one) => !set.has(one.name));
          const found = wanted === null ? null : (all.find((one) => one.id === wanted) ?? null);
          return (
            <>
              {all.length > 0 && <LimitTable limits={all} />}
              <Text size="sm" className="quiet" mt="xs">
                {usually(usual)}
              </Text>
              {wanted !== null && (
                <LimitSheet key={wanted} limit={found} wanted={wanted} named={named} person={person} />
              )}
            </>
          );
        }}
      </Answered>
    </Box>
  );
}

function LimitTable({ limits }: { limits: readonly RateLimit[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls within itself is reached by keyboard
    <section tabIndex={0} aria-label="Rate limits that are set" style={{ overflowX: "auto" }}>
      <Table miw={560}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">For</Table.Th>
            <Table.Th scope="col" ta="right">
              Requests a minute
            </Table.Th>
            <Table.Th scope="col" ta="right">
              Tokens a minute
            </Table.Th>
            <Table.Th scope="col" ta="right">
              At once
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {limits.map((one) => (
            <Table.Tr key={one.id}>
              <Table.Th scope="row" fw={400} style={{ overflowWrap: "anywhere" }}>
                <Anchor component={Link} to={`/budgets/limits/${one.id}`}>
                  {one.named}
                </Anchor>{" "}
                <Text span size="sm" className="quiet">
                  {KINDS[one.kind].toLowerCase()}
                  {one.owner !== null && ", your own"}
                </Text>
              </Table.Th>
              <Part value={one.requests_per_minute} />
              <Part value={one.tokens_per_minute} />
              <Part value={one.parallel} />
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </section>
  );
}

function Part({ value }: { value: number | null }) {
  return (
    <Table.Td ta="right" className="figures">
      {value === null ? <span className="quiet">as otherwise</span> : value === 0 ? "any" : count(value)}
    </Table.Td>
  );
}

/** What holds where nobody has set anything: most providers have the same. */
function usually(defaults: readonly RateLimit[]): string {
  if (defaults.length === 0) return "Where none is set, any number is asked.";
  const by = new Map<string, string[]>();
  for (const one of defaults) {
    const parts = [
      one.requests_per_minute ? `${count(one.requests_per_minute)} requests a minute` : "",
      one.tokens_per_minute ? `${count(one.tokens_per_minute)} tokens a minute` : "",
      one.parallel ? `${count(one.parallel)} at once` : "",
    ].filter(Boolean);
    const said = parts.join(", ");
    by.set(said, [...(by.get(said) ?? []), one.named]);
  }
  return [...by]
    .map(
      ([said, names]) =>
        `${names.length > 3 ? `${names.length} providers` : names.join(", ")}: ${said} for each person, unless you set another.`,
    )
    .join(" ");
}
