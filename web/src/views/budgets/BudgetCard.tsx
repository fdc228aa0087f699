import { Anchor, Box, Group, Text, Title } from "@mantine/core";
import { Link } from "react-router";
import { exactTime, money } from "../../parts/figures";
import { Meter } from "../../parts/Meter";
import { State } from "../../parts/State";
import { type Budget, limitSaid, said } from "./amount";
import { forWhat, type Named } from "./named";

/** One budget: what is spent of it, what is pending, what is left, and when it begins again. */
export function BudgetCard({ budget, named }: { budget: Budget; named: Named }) {
  const { limit, unit, spent, pending, left } = budget;
  return (
    <Box className="card" component="article" aria-label={budget.name}>
      <Group justify="space-between" align="baseline" gap="xs">
        <Box miw={0}>
          <Title order={2} style={{ overflowWrap: "anywhere" }}>
            <Anchor component={Link} to={`/budgets/${budget.id}`} c="inherit" fw={600}>
              {budget.name}
            </Anchor>
          </Title>
          <Text size="sm" className="quiet" style={{ overflowWrap: "anywhere" }}>
            {forWhat(budget, named)} · {limitSaid(budget)}
            {caps(budget)}
          </Text>
        </Box>
        {left === 0 && <State tone="warn">{USED_UP[budget.exhausted]}</State>}
      </Group>
      {limit !== null && (
        <Box mt="sm">
          <Meter
            spent={spent}
            pending={pending}
            limit={limit}
            said={`${budget.name}: ${said(spent, unit)} spent, ${said(pending, unit)} pending, of ${said(limit, unit)}`}
          />
          <Group justify="space-between" gap="xs" mt={6}>
            <Text size="sm" className="figures">
              {said(spent, unit)} spent
              {pending > 0 && ` · ${said(pending, unit)} pending`}
              {` · ${said(left ?? 0, unit)} left`}
            </Text>
            <Text size="sm" className="quiet">
              <Ends budget={budget} />
            </Text>
          </Group>
        </Box>
      )}
    </Box>
  );
}

const USED_UP: Record<Budget["exhausted"], string> = {
  refuse: "Used up: refuses",
  fall_back: "Used up: asks others",
  ask: "Used up: asks you",
};

function caps(budget: Budget): string {
  const parts: string[] = [];
  if (budget.run_hard_nano !== null) parts.push(`${money(budget.run_hard_nano)} a run at most`);
  if (budget.run_hard_tokens !== null) parts.push(`${said(budget.run_hard_tokens, "tokens")} a run at most`);
  return parts.length > 0 ? ` · ${parts.join(", ")}` : "";
}

function Ends({ budget }: { budget: Budget }) {
  if (budget.per === "ever") return <>Never begins again</>;
  const days = Math.ceil((budget.end_ms - Date.now()) / 86_400_000);
  const when = new Date(budget.end_ms).toLocaleString("en-GB", {
    timeZone: budget.zone,
    ...(budget.per === "day" ? { hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short" }),
  });
  return (
    <>
      Begins again{" "}
      <time dateTime={new Date(budget.end_ms).toISOString()} title={exactTime(budget.end_ms)}>
        {budget.per === "day" ? `at ${when}` : `on ${when}`}
      </time>
      {days > 1 && `, in ${days} days`}
    </>
  );
}
