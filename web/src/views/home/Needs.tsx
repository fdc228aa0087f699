import { Button, Group, Text, Title } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { Link } from "react-router";
import type { Shape } from "../../api/client";
import classes from "./Home.module.css";

type Need = Shape<"NeedShape">;

/** Where each kind is mended, and what the button says. */
const WAYS: Record<Need["kind"], { to: (need: Need) => string; verb: string }> = {
  vault_sealed: { to: () => "/settings/about", verb: "See what to do" },
  key: {
    to: (need) => `/settings/byok/${encodeURIComponent((need.target ?? "").split("/")[0] ?? "")}`,
    verb: "Open the key",
  },
  consent: { to: () => "/routes", verb: "Decide" },
  alert: { to: () => "/activity/alerts", verb: "See the alert" },
  price_unknown: { to: () => "/models", verb: "See the model" },
};

/** What needs a hand. */
export function Needs({ needs }: { needs: readonly Need[] }) {
  return (
    <section className="card" aria-labelledby="needs">
      <Title order={2} id="needs" mb={4}>
        Needs a hand
      </Title>
      <ul className={classes.lines}>
        {needs.map((need) => (
          <li key={`${need.kind} ${need.id ?? need.target ?? need.says}`}>
            <Group gap="xs" wrap="nowrap" align="flex-start" miw={0}>
              <IconAlertTriangle size={18} color="var(--warn)" aria-hidden style={{ flexShrink: 0, marginTop: 2 }} />
              <Text style={{ overflowWrap: "anywhere" }}>{need.says}</Text>
            </Group>
            <Button
              component={Link}
              to={WAYS[need.kind].to(need)}
              variant="default"
              size="xs"
              style={{ flexShrink: 0 }}
            >
              {WAYS[need.kind].verb}
            </Button>
          </li>
        ))}
      </ul>
    </section>
  );
}
