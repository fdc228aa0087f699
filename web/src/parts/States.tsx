import { Alert, Box, Button, Group, Skeleton, Stack, Text, Title } from "@mantine/core";
import { IconAlertTriangle, IconLock, IconPlugOff } from "@tabler/icons-react";
import type { UseQueryResult } from "@tanstack/react-query";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { Link, useLocation } from "react-router";
import { type Action, asProblem, type Problem } from "../api/problem";
import type { Way } from "../api/words";

const PATIENCE_MS = 120;

/** Grey lines in the shape of what comes: only after a moment, so that what is quick does not flicker. */
export function Waiting({ rows = 4, height = 20 }: { rows?: number; height?: number }) {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = window.setTimeout(() => setLate(true), PATIENCE_MS);
    return () => window.clearTimeout(timer);
  }, []);
  return (
    <Box role="status" aria-label="Loading" mih={rows * (height + 12)}>
      {late && (
        <Stack gap="sm">
          {Array.from({ length: rows }, (_, row) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: lines that are all alike
            <Skeleton key={row} height={height} width={row === rows - 1 ? "60%" : "100%"} />
          ))}
        </Stack>
      )}
    </Box>
  );
}

/** Nothing here yet: what it is for, and one thing to do. */
export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <Stack align="center" gap="xs" py="xl" px="md" ta="center" data-empty>
      <Title order={2}>{title}</Title>
      {children && (
        <Text className="quiet" maw={440}>
          {children}
        </Text>
      )}
      {action && <Box mt="xs">{action}</Box>}
    </Stack>
  );
}

/** What a view does itself about an error, where that is better than another page. */
export type Acts = Partial<Record<Action | "over_budget", () => void>>;

const WAYS: Partial<Record<Action | "over_budget", { to: string; label: string }>> = {
  reenter_key: { to: "/settings/byok", label: "Re-enter key" },
  choose_model: { to: "/models", label: "Choose another model" },
  provider_settings: { to: "/settings/byok", label: "Provider settings" },
  over_budget: { to: "/budgets", label: "Change the limit" },
};

/** What went wrong, in place, with the button that mends it. `children`: whether anything was lost or charged. */
export function Failed({
  error,
  retry,
  compact,
  acts = {},
  children,
}: {
  error: unknown;
  retry?: () => void;
  compact?: boolean;
  acts?: Acts;
  children?: ReactNode;
}) {
  const problem = asProblem(error);
  const waits = problem.action === "wait" && retry !== undefined;
  return (
    <Alert
      role="alert"
      color={problem.status === 403 ? "gray" : "red"}
      variant="light"
      icon={iconOf(problem)}
      title={compact ? undefined : titleOf(problem)}
    >
      <Text size="md">{problem.said}</Text>
      {children && <Text size="md">{children}</Text>}
      <Later key={problem.retryAfterS} problem={problem} retry={waits ? retry : undefined} />
      <Group gap="xs" mt={retry || wayOf(problem) || problem.way ? "xs" : 0}>
        <Mend problem={problem} acts={acts} />
        {retry && (
          <Button variant="default" size="xs" onClick={retry}>
            {waits ? "Try now" : "Try again"}
          </Button>
        )}
      </Group>
    </Alert>
  );
}

/** How long until it is worth trying again; with `retry` it is tried then. */
function Later({ problem, retry }: { problem: Problem; retry?: () => void }) {
  const after = problem.retryAfterS ?? (retry ? 1 : 0);
  const [left, setLeft] = useState(Math.ceil(after));
  const last = useRef(retry);
  last.current = retry;
  useEffect(() => {
    const until = performance.now() + after * 1000;
    const timer = window.setInterval(() => {
      const still = Math.ceil((until - performance.now()) / 1000);
      setLeft(Math.max(0, still));
      // Nobody is there to read an answer while the page is hidden.
      if (still > 0 || (last.current && document.hidden)) return;
      window.clearInterval(timer);
      last.current?.();
    }, 250);
    return () => window.clearInterval(timer);
  }, [after]);
  if (after <= 0 || left <= 0) return null;
  const when = left < 120 ? `${left} second${left === 1 ? "" : "s"}` : `${Math.ceil(left / 60)} minutes`;
  return (
    <Text role="timer" aria-live="off" className="figures" size="sm" mt={4}>
      {retry ? `Trying again in ${when}.` : `You can try again in ${when}.`}
    </Text>
  );
}

function wayOf(problem: Problem): Action | "over_budget" | null {
  return problem.code === "budget_exceeded" ? "over_budget" : problem.action;
}

function Mend({ problem, acts }: { problem: Problem; acts: Acts }) {
  const which = wayOf(problem);
  const way = which && WAYS[which];
  if (!which || !way) return problem.way && <Elsewhere way={problem.way} />;
  const act = acts[which];
  if (act) {
    return (
      <Button size="xs" onClick={act}>
        {way.label}
      </Button>
    );
  }
  const at = way.to === "/settings/byok" && problem.provider;
  return (
    <Button component={Link} to={at ? `${way.to}/${encodeURIComponent(at)}` : way.to} size="xs">
      {way.label}
    </Button>
  );
}

function Elsewhere({ way }: { way: Way }) {
  if (useLocation().pathname === way.to) return null;
  return (
    <Button component={Link} to={way.to} size="xs">
      Open {way.title}
    </Button>
  );
}

function iconOf(problem: Problem): ReactNode {
  if (problem.status === 0) return <IconPlugOff aria-hidden />;
  return problem.status === 403 || problem.code === "vault_sealed" ? (
    <IconLock aria-hidden />
  ) : (
    <IconAlertTriangle aria-hidden />
  );
}

function titleOf(problem: Problem): string {
  if (problem.status === 0) return "No answer";
  if (problem.status === 403) return "Not for you to see";
  if (problem.code === "vault_sealed") return "The vault is sealed";
  if (problem.code === "budget_exceeded") return "A limit was reached";
  if (problem.status === 429) return "Not so fast";
  return "That did not work";
}

/** What a question to the server gave, in each of its states; what is old stays while new is asked for, and says so. */
export function Answered<Data>({
  query,
  waiting,
  children,
}: {
  query: UseQueryResult<Data>;
  waiting?: ReactNode;
  children: (data: Data) => ReactNode;
}) {
  if (query.data !== undefined) {
    return (
      <>
        {query.isError && (
          <Text role="status" size="sm" c="var(--warn)" mb="xs">
            This may be out of date: {asProblem(query.error).said}
          </Text>
        )}
        {children(query.data)}
      </>
    );
  }
  if (query.isError) return <Failed error={query.error} retry={() => void query.refetch()} />;
  return waiting ?? <Waiting />;
}
