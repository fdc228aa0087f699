import { Box, Stack, Switch, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useChange } from "../../api/change";
import { api, type Shape, told } from "../../api/client";
import { usePerson } from "../../app/session";
import { Answered, Failed } from "../../parts/States";

type Wanted = Shape<"PreferencesShape">;

const KEY = ["preferences"];

const SWITCHES: readonly { name: "auto_switch" | "ask" | "park"; label: string; says: string }[] = [
  { name: "auto_switch", label: "Ask another provider when one fails", says: "Off: you get the error of the first." },
  {
    name: "ask",
    label: "Always ask me before switching providers",
    says: "Nothing goes to another provider than the first before you said yes.",
  },
  {
    name: "park",
    label: "Let requests wait here for my yes",
    says: "For up to ten minutes. Off: the program that asks gets the question, and asks you.",
  },
];

/** What one wants done where a provider fails, whatever route is asked. */
export function Switching() {
  const viewer = usePerson().role === "viewer";
  const wanted = useQuery({ queryKey: KEY, queryFn: () => told(api.GET("/api/byok/preferences")) });
  const changing = useChange<Wanted>(KEY, (body) => told(api.PATCH("/api/byok/preferences", { body })));
  return (
    <Box component="section" mt={40} aria-labelledby="switching">
      <Title order={2} id="switching" mb={4}>
        Switching providers
      </Title>
      <Text className="quiet" mb="sm">
        For all that you ask. A route can be stricter.
      </Text>
      <Answered query={wanted}>
        {(now) => (
          <Stack gap="sm">
            {SWITCHES.map(({ name, label, says }) => (
              <Switch
                key={name}
                label={label}
                description={says}
                checked={now[name]}
                disabled={viewer}
                onChange={(event) => changing.mutate({ [name]: event.currentTarget.checked })}
              />
            ))}
            {changing.isError && <Failed error={changing.error} compact />}
          </Stack>
        )}
      </Answered>
    </Box>
  );
}
