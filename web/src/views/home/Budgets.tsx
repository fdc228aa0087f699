import { Anchor, Button, Group, Stack, Text, Title } from "@mantine/core";
import { Link } from "react-router";
import type { Shape } from "../../api/client";
import { count, day, money } from "../../parts/figures";
import { Meter } from "../../parts/Meter";

type Budget = Shape<"BudgetShape">;

const MOST = 6;

function said(budget: Budget, amount: number): string {
  return budget.unit === "usd" ? money(amount) : `${count(amount)} ${budget.unit}`;
}

/** What is left of each limit. */
export function Budgets({ budgets }: { budgets: readonly Budget[] }) {
  const limited = budgets.filter((budget) => budget.limit !== null);
  return (
    <section className="card" aria-labelledby="budgets">
      <Title order={2} id="budgets" mb="sm">
        Budgets
      </Title>
      {limited.length === 0 ? (
        <>
          <Text className="quiet" mb="sm">
            Nothing limits what you spend yet. A limit holds, whatever asks.
          </Text>
          <Button component={Link} to="/budgets/new" variant="default" size="xs">
            Set a limit
          </Button>
        </>
      ) : (
        <Stack gap="sm">
          {limited.slice(0, MOST).map((budget) => (
            <Line key={budget.id} budget={budget} limit={budget.limit ?? 0} />
          ))}
          {limited.length > MOST && (
            <Anchor component={Link} to="/budgets" size="sm">
              All {limited.length}
            </Anchor>
          )}
        </Stack>
      )}
    </section>
  );
}

function Line({ budget, limit }: { budget: Budget; limit: number }) {
  const left = said(budget, budget.left ?? 0);
  const until = budget.per === "ever" ? "" : ` until ${day(budget.end_ms)}`;
  return (
    <div>
      <Group justify="space-between" wrap="nowrap" mb={4} gap="sm">
        <Text truncate>{budget.name}</Text>
        <Text size="sm" className="quiet figures" style={{ whiteSpace: "nowrap" }}>
          {left} left{until}
        </Text>
      </Group>
      <Meter
        spent={budget.spent}
        pending={budget.pending}
        limit={limit}
        said={`${budget.name}: ${said(budget, budget.spent)} of ${said(budget, limit)} spent, ${left} left`}
      />
    </div>
  );
}
