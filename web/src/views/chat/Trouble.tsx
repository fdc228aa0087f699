import { Alert, Button, Group, Text } from "@mantine/core";
import { IconClock, IconCoin } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import { Link } from "react-router";
import { saysSomething } from "../../api/answer";
import type { Problem } from "../../api/problem";
import { Failed } from "../../parts/States";
import type { Step } from "./talk";
import { chargedText } from "./told";

/** What went wrong with a request: what happened, whether it cost anything, and what to do. */
export function Trouble({ step, retry, others }: { step: Step; retry: () => void; others: () => void }) {
  const problem = step.problem as Problem;
  const charged = chargedText(step) ?? "";
  if (step.state === "waiting" && step.againMs !== null) {
    return <Waits problem={problem} untilMs={step.againMs} retry={retry} others={others} charged={charged} />;
  }
  if (problem.code === "budget_exceeded") {
    return <Exhausted problem={problem} retry={retry} others={others} charged={charged} />;
  }
  // It has asked again as often as it does by itself.
  const tired = problem.action === "wait";
  return (
    <>
      <Failed error={problem} retry={tired ? undefined : retry} acts={{ choose_model: others }}>
        {saysSomething(step.answer) && "The answer broke off: what came of it stands above, and is not whole. "}
        {charged}
      </Failed>
      {tired && (
        <Button size="xs" variant="default" mt="xs" onClick={retry}>
          Ask now
        </Button>
      )}
    </>
  );
}

interface Shown {
  problem: Problem;
  retry: () => void;
  others: () => void;
  charged: string;
}

/** It asks again by itself; the seconds run. */
function Waits({ problem, untilMs, retry, others, charged }: Shown & { untilMs: number }) {
  const left = useSecondsTo(untilMs);
  const said = problem.said.replace(/in \d+ seconds?/, `in ${left} ${left === 1 ? "second" : "seconds"}`);
  return (
    <Alert
      role="group"
      aria-label="Waiting to ask again"
      color="yellow"
      variant="light"
      icon={<IconClock aria-hidden />}
    >
      <p className="hidden" role="status">
        {problem.said}
      </p>
      <Text className="figures">{said}</Text>
      <Text mt={4}>{charged}</Text>
      <Group gap="xs" mt="xs">
        <Button size="xs" onClick={retry}>
          Ask now
        </Button>
        <Button size="xs" variant="default" onClick={others}>
          Try with another model
        </Button>
      </Group>
    </Alert>
  );
}

function Exhausted({ problem, retry, others, charged }: Shown) {
  return (
    <Alert
      role="alert"
      color="red"
      variant="light"
      icon={<IconCoin aria-hidden />}
      title="The budget does not have enough left"
    >
      <Text>{problem.said}</Text>
      <Text mt={4}>{charged}</Text>
      <Group gap="xs" mt="xs">
        <Button size="xs" component={Link} to="/budgets">
          Open budgets
        </Button>
        <Button size="xs" variant="default" onClick={others}>
          Try with a cheaper model
        </Button>
        <Button size="xs" variant="default" onClick={retry}>
          Try again
        </Button>
      </Group>
    </Alert>
  );
}

function useSecondsTo(ms: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), 250);
    return () => window.clearInterval(timer);
  }, []);
  return Math.max(0, Math.ceil((ms - now) / 1000));
}
