import { Box, Stack, Switch, Text, Title } from "@mantine/core";
import { usePreferences, usePreferring } from "../../api/preferences";
import { usePerson } from "../../app/session";
import { Answered, Failed } from "../../parts/States";

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
  const wanted = usePreferences();
  const { change, refused } = usePreferring();
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
                onChange={(event) => change({ [name]: event.currentTarget.checked })}
              />
            ))}
            {refused && <Failed error={refused} compact />}
          </Stack>
        )}
      </Answered>
    </Box>
  );
}
