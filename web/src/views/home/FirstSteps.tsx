import { Button, Group, Text, Title } from "@mantine/core";
import { IconCircle, IconCircleCheck } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, told } from "../../api/client";
import classes from "./Home.module.css";

/** With nothing asked yet: the three steps that are left. */
export function FirstSteps({ limited }: { limited: boolean }) {
  const status = useQuery({ queryKey: ["status"], queryFn: () => told(api.GET("/api/byok/status")) });
  const steps = [
    {
      done: status.data?.demo === false,
      label: "Add a key of yours, or find a model on this machine",
      verb: "Add provider",
      to: "/settings/byok/add",
    },
    { done: limited, label: "Set a limit that holds", verb: "Set a limit", to: "/budgets/new" },
    { done: false, label: "Ask something, and see what it costs", verb: "Open chat", to: "/chat" },
  ];
  return (
    <section className="card" aria-labelledby="steps">
      <Title order={2} id="steps" mb={4}>
        Three steps to begin with
      </Title>
      <ol className={classes.lines}>
        {steps.map((step) => (
          <li key={step.label}>
            <Group gap="xs" wrap="nowrap">
              {step.done ? (
                <IconCircleCheck size={18} color="var(--good)" aria-label="Done" />
              ) : (
                <IconCircle size={18} color="var(--quiet)" aria-label="To do" />
              )}
              <Text>{step.label}</Text>
            </Group>
            {!step.done && (
              <Button component={Link} to={step.to} variant="default" size="xs" style={{ flexShrink: 0 }}>
                {step.verb}
              </Button>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}
