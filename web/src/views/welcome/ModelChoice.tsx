import { Badge, Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import type { Shape } from "../../api/client";
import { type Preferences, usePrefer } from "../../api/preferences";
import { count, money } from "../../parts/figures";
import { Failed } from "../../parts/States";
import classes from "./Welcome.module.css";

type Model = Shape<"ModelShape">;

const FEW = 6;
const MANY = 100;

function talks(model: Model): boolean {
  return !model.retired && (model.does.length === 0 || model.does.includes("chat"));
}

function costOf(model: Model): number {
  if (model.free) return 0;
  const { input, output } = model.price ?? {};
  return input == null || output == null ? Number.POSITIVE_INFINITY : input + output;
}

/** Models with their prices, the default first, then the cheapest. What is taken is asked where nothing else is named. */
export function ModelChoice({
  models,
  wanted,
  taken,
}: {
  models: readonly Model[];
  wanted: Preferences;
  taken: () => void;
}) {
  const [search, setSearch] = useState("");
  const [all, setAll] = useState(false);
  const taking = usePrefer(taken);
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const talking = models.filter(talks);
  const sorted = talking
    .filter((one) => words.every((word) => `${one.provider}/${one.id} ${one.name ?? ""}`.toLowerCase().includes(word)))
    .sort((one, other) => Number(other.default) - Number(one.default) || costOf(one) - costOf(other));
  const shown = sorted.slice(0, all ? MANY : FEW);
  if (talking.length === 0) {
    return (
      <Text role="status">No models are known here yet. Start the server, load a model there, and look again.</Text>
    );
  }
  return (
    <Stack gap="sm">
      {talking.length > FEW && (
        <TextInput
          label="Find a model"
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
          type="search"
        />
      )}
      {taking.isError && <Failed error={taking.error} compact />}
      <ul className={classes.models} aria-label="Models">
        {shown.map((one) => (
          <li key={`${one.provider}/${one.id}`}>
            <div>
              <Group gap="xs">
                <Text fw={500}>{one.name ?? one.id}</Text>
                {one.default && <Badge variant="light">Default</Badge>}
              </Group>
              <Text size="sm" className="quiet figures">
                {one.provider}/{one.id}
                <br />
                <Price model={one} />
              </Text>
            </div>
            <Button
              size="xs"
              variant={one.default ? "filled" : "default"}
              disabled={taking.isPending}
              onClick={() =>
                taking.mutate({ provider: one.provider, models: { ...wanted.models, [one.provider]: one.id } })
              }
              aria-label={`Use this model: ${one.name ?? one.id}`}
            >
              Use this model
            </Button>
          </li>
        ))}
      </ul>
      <Group justify="space-between">
        <Text size="sm" className="quiet" role="status">
          {count(shown.length)} of {count(talking.length)} models
        </Text>
        {sorted.length > shown.length && !all && (
          <Button variant="subtle" size="xs" onClick={() => setAll(true)}>
            Show more
          </Button>
        )}
      </Group>
    </Stack>
  );
}

function Price({ model }: { model: Model }) {
  if (model.free) return "free";
  const { input, output } = model.price ?? {};
  if (input == null || output == null) return "price not known";
  return `${money(input)} in, ${money(output)} out per 1M tokens`;
}
