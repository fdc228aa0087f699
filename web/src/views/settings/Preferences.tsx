import { Fieldset, NativeSelect, NumberInput, Stack, Switch, Text, Title } from "@mantine/core";
import { useState } from "react";
import { usePreferences, usePreferring, type Preferences as Wanted } from "../../api/preferences";
import { usePerson } from "../../app/session";
import { useSay } from "../../parts/Said";
import { Answered, Failed } from "../../parts/States";
import { useProviders } from "../providers/data";

/** What each switch does, in words. */
const SWITCHES: readonly {
  name: "auto_switch" | "ask" | "park" | "cheapest" | "low_quota";
  label: string;
  says: string;
}[] = [
  {
    name: "auto_switch",
    label: "Go on with another provider by itself",
    says: "Where the first one fails, the next of the route answers.",
  },
  {
    name: "ask",
    label: "Always ask before switching providers",
    says: "You are told what would happen and what it costs, and say yes or no.",
  },
  {
    name: "park",
    label: "Let requests wait for my yes",
    says: "What has to be asked waits on the Routes view instead of being refused.",
  },
  { name: "cheapest", label: "Choose the cheapest that can", says: "Where a route leaves the choice." },
  { name: "low_quota", label: "Tell me when a budget nears its limit", says: "On Home, and wherever alerts are sent." },
];

export function Preferences() {
  return <Answered query={usePreferences()}>{(found) => <Shown wanted={found} />}</Answered>;
}

function Shown({ wanted }: { wanted: Wanted }) {
  const say = useSay();
  const views = usePerson().role === "viewer";
  const providers = useProviders();
  const [tokens, setTokens] = useState<string | number>(wanted.max_tokens ?? "");
  const { change, refused } = usePreferring(() => say("Saved."));
  const choices = [
    { value: "", label: "None" },
    ...(providers.data?.providers ?? []).map((one) => ({ value: one.id, label: one.name })),
  ];
  return (
    <Fieldset variant="unstyled" disabled={views}>
      <Stack maw={560} gap="lg">
        {views && <Text className="quiet">A viewer changes nothing.</Text>}
        {refused && <Failed error={refused} compact />}
        <section className="card" aria-labelledby="who">
          <Title order={2} id="who" mb="sm">
            Who is asked
          </Title>
          <Stack>
            <NativeSelect
              label="Default provider"
              description="Asked first, where a model is not named."
              value={wanted.provider ?? ""}
              data={choices}
              onChange={(event) => change({ provider: event.currentTarget.value || null })}
            />
            <NativeSelect
              label="Fallback provider"
              description="Asked last, where the others fail."
              value={wanted.fallback ?? ""}
              data={choices}
              onChange={(event) => change({ fallback: event.currentTarget.value || null })}
            />
          </Stack>
        </section>
        <section className="card" aria-labelledby="how">
          <Title order={2} id="how" mb="sm">
            What may happen
          </Title>
          <Stack>
            {SWITCHES.map((one) => (
              <Switch
                key={one.name}
                label={one.label}
                description={one.says}
                checked={wanted[one.name]}
                onChange={(event) => change({ [one.name]: event.currentTarget.checked })}
              />
            ))}
            <NumberInput
              label="Tokens of one answer, at most"
              description="Left empty, the model's own limit and your budgets hold."
              min={1}
              value={tokens}
              onChange={setTokens}
              onBlur={() => {
                const next = tokens === "" ? null : Number(tokens);
                if (next !== wanted.max_tokens) change({ max_tokens: next });
              }}
            />
          </Stack>
        </section>
      </Stack>
    </Fieldset>
  );
}
