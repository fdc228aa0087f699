import { Box, Stack, Switch, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, type Shape, told } from "../../api/client";
import { usePerson } from "../../app/session";
import { Answered, Failed } from "../../parts/States";

type Wanted = Pick<Shape<"PreferencesShape">, "auto_switch" | "ask" | "park">;

const SWITCHES: readonly { name: keyof Wanted; label: string; says: string }[] = [
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
  const queries = useQueryClient();
  const viewer = usePerson().role === "viewer";
  const wanted = useQuery({ queryKey: ["preferences"], queryFn: () => told(api.GET("/api/byok/preferences")) });
  const changing = useMutation({
    mutationFn: (part: Partial<Wanted>) => told(api.PATCH("/api/byok/preferences", { body: part })),
    onSuccess: (now) => queries.setQueryData(["preferences"], now),
  });
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
                checked={changing.isPending ? (changing.variables[name] ?? now[name]) : now[name]}
                disabled={viewer || changing.isPending}
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
