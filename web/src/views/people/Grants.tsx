import { Button, Group, NativeSelect, NumberInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, told } from "../../api/client";
import { money } from "../../parts/figures";
import { Meter } from "../../parts/Meter";
import { Failed } from "../../parts/States";
import type { User } from "./People";

const PERIODS = { day: "a day", week: "a week", month: "a month", ever: "in all" } as const;

/** Which of the server's own keys somebody may use, and for how much. */
export function Grants({ user }: { user: User }) {
  const queries = useQueryClient();
  const key = ["grants", user.id];
  const path = { user: user.id };
  const grants = useQuery({
    queryKey: key,
    queryFn: () => told(api.GET("/api/byok/users/{user}/grants", { params: { path } })),
  });
  const [provider, setProvider] = useState("");
  const [limit, setLimit] = useState<string | number>("5");
  const [per, setPer] = useState<keyof typeof PERIODS>("month");
  const renew = () => queries.invalidateQueries({ queryKey: key });
  const granting = useMutation({
    mutationFn: () =>
      api.PUT("/api/byok/users/{user}/grants/{provider}", {
        params: { path: { ...path, provider: provider.trim() } },
        body: { limit: String(limit), per },
      }),
    onSuccess: renew,
  });
  const revoking = useMutation({
    mutationFn: (one: string) =>
      api.DELETE("/api/byok/users/{user}/grants/{provider}", { params: { path: { ...path, provider: one } } }),
    onSuccess: renew,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    granting.mutate();
  };
  return (
    <Stack gap="sm">
      <Title order={2}>Shared keys</Title>
      <Text className="quiet">
        Keys that stand in the server's environment, for providers where they have none of their own.
      </Text>
      {grants.data?.grants.map((one) => (
        <div key={one.provider}>
          <Group justify="space-between">
            <Text>{one.provider}</Text>
            <Button size="compact-sm" variant="subtle" color="red" onClick={() => revoking.mutate(one.provider)}>
              Take back {one.provider}
            </Button>
          </Group>
          <Meter
            spent={one.spent_nano}
            pending={one.pending_nano}
            limit={one.limit_nano ?? 0}
            said={`${money(one.left_nano ?? 0)} left for ${one.provider}`}
          />
        </div>
      ))}
      <form onSubmit={submit}>
        <Group align="flex-end" gap="xs">
          <TextInput
            label="Provider"
            required
            w={130}
            value={provider}
            onChange={(event) => setProvider(event.currentTarget.value)}
          />
          <NumberInput
            label="At most"
            prefix="$"
            min={0}
            decimalScale={2}
            w={90}
            value={limit}
            onChange={setLimit}
            hideControls
          />
          <NativeSelect
            label="In"
            w={110}
            value={per}
            onChange={(event) => setPer(event.currentTarget.value as keyof typeof PERIODS)}
            data={Object.entries(PERIODS).map(([value, label]) => ({ value, label }))}
          />
          <Button type="submit" variant="default" loading={granting.isPending}>
            Allow
          </Button>
        </Group>
      </form>
      {(granting.isError || revoking.isError || grants.isError) && (
        <Failed error={granting.error ?? revoking.error ?? grants.error} compact />
      )}
    </Stack>
  );
}
