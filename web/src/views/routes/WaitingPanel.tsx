import { Box, Button, Checkbox, Group, List, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, type Shape, told } from "../../api/client";
import { usePerson } from "../../app/session";
import { When } from "../../parts/Figures";
import { money } from "../../parts/figures";
import { useSay } from "../../parts/Said";
import { Failed } from "../../parts/States";

type WaitingRequest = Shape<"WaitingShape">;

const EVERY_MS = 4_000;
const NANO = 1e9;

/** Requests of one's own that wait for a yes: what each would do, and for how much. */
export function WaitingPanel() {
  const waiting = useQuery({
    queryKey: ["waiting"],
    queryFn: () => told(api.GET("/api/byok/waiting")),
    refetchInterval: EVERY_MS,
  });
  const found = waiting.data?.waiting ?? [];
  return (
    <Box aria-live="polite" mb={found.length > 0 ? "lg" : 0}>
      {waiting.isError && !waiting.data && (
        <Failed error={waiting.error} retry={() => void waiting.refetch()} compact />
      )}
      {found.length > 0 && (
        <Box component="section" aria-labelledby="waiting">
          <Title order={2} id="waiting" mb="xs">
            {found.length === 1 ? "A request waits for your yes" : `${found.length} requests wait for your yes`}
          </Title>
          <Stack gap="sm">
            {found.map((one) => (
              <Request key={one.id} one={one} />
            ))}
          </Stack>
        </Box>
      )}
    </Box>
  );
}

function Request({ one }: { one: WaitingRequest }) {
  const queries = useQueryClient();
  const say = useSay();
  const viewer = usePerson().role === "viewer";
  const [remember, setRemember] = useState(false);
  const path = { params: { path: { waiting: one.id } } };
  const deciding = useMutation({
    mutationFn: (approve: boolean) =>
      approve
        ? told(api.POST("/api/byok/waiting/{waiting}/approve", { ...path, body: { remember } }))
        : told(api.POST("/api/byok/waiting/{waiting}/refuse", path)),
    onSuccess: async ({ approved }) => {
      say(approved ? "It goes on." : "It was refused, and nothing was sent.");
      await Promise.all([
        queries.invalidateQueries({ queryKey: ["waiting"] }),
        queries.invalidateQueries({ queryKey: ["consents"] }),
      ]);
    },
  });
  return (
    <Box className="card" component="article" aria-label={`Request to ${one.model}`}>
      <Group justify="space-between" gap="xs">
        <Text fw={600} style={{ overflowWrap: "anywhere" }}>
          {one.model}
          {one.automation && ` · ${one.automation}`}
        </Text>
        <Text size="sm" className="quiet">
          asked <When ms={one.since_ms} />, waits until <When ms={one.until_ms} />
        </Text>
      </Group>
      <List size="md" my="xs">
        {one.reasons.map((reason) => (
          <List.Item key={reason.says}>{reason.says}</List.Item>
        ))}
      </List>
      <Text size="sm" className="figures">
        {priced(one.quote)}
      </Text>
      {deciding.isError && <Failed error={deciding.error} compact />}
      {!viewer && (
        <Group mt="sm">
          <Button loading={deciding.isPending && deciding.variables} onClick={() => deciding.mutate(true)}>
            Let it go on
          </Button>
          <Button
            variant="default"
            loading={deciding.isPending && !deciding.variables}
            onClick={() => deciding.mutate(false)}
          >
            Refuse
          </Button>
          <Checkbox
            label="Do not ask about this for 30 days"
            checked={remember}
            onChange={(event) => setRemember(event.currentTarget.checked)}
          />
        </Group>
      )}
    </Box>
  );
}

function priced(quote: WaitingRequest["quote"]): string {
  if (!quote || quote.expected_usd === null) return "Nobody knows what it will cost.";
  const about = money(Number(quote.expected_usd) * NANO);
  const most = quote.most_usd === null ? "" : `, at most ${money(Number(quote.most_usd) * NANO)}`;
  return `About ${about}${most}, with ${quote.model}.`;
}
