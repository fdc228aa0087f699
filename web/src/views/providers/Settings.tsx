import { Button, Group, Stack, Switch, Text, TextInput, Title } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, told } from "../../api/client";
import { asProblem } from "../../api/problem";
import { useSay } from "../../parts/Said";
import { Failed } from "../../parts/States";
import { switched } from "./Cards";
import { type Key, type Provider, refresh } from "./data";
import { Fields, givenFields } from "./Fields";

/** What is set for everybody: on or off, its address, and what it wants besides a key. */
export function Settings({ provider, keys }: { provider: Provider; keys: readonly Key[] }) {
  const queries = useQueryClient();
  const say = useSay();
  const [endpoint, setEndpoint] = useState(provider.endpoint);
  const [values, setValues] = useState<Record<string, string>>({});
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const fields = givenFields(provider.fields_wanted, values);
  const moved = endpoint.trim() !== provider.endpoint;
  const changed = moved || Object.keys(fields).length > 0;
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const body = { ...(moved && { endpoint: endpoint.trim() }), ...(Object.keys(fields).length > 0 && { fields }) };
      const path = { provider: provider.id };
      const now = await told(api.PATCH("/api/byok/providers/{provider}", { params: { path }, body }));
      setEndpoint(now.endpoint);
      say(`${provider.name}'s settings are saved.`);
      await refresh(queries);
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  const flip = async () => {
    try {
      await switched(provider.id, !provider.enabled);
    } catch (problem) {
      say(`${provider.name} is as it was. ${asProblem(problem).said}`);
    }
    await refresh(queries);
  };
  return (
    <section aria-labelledby="settings">
      <Title order={2} id="settings" mb="xs">
        Settings for everybody
      </Title>
      <Stack gap="sm">
        <Switch
          label={`${provider.name} may be asked`}
          checked={provider.enabled}
          onChange={() => void flip()}
          withThumbIndicator={false}
        />
        <form onSubmit={submit} aria-label={`Settings of ${provider.name}`}>
          <Stack gap="sm">
            {(keys.length > 0 || provider.kind !== "cloud") && (
              <Fields wanted={provider.fields_wanted} values={values} change={setValues} error={error} />
            )}
            <TextInput
              label="Address"
              description="Empty: the provider's own. A key goes only to the address that it was entered for."
              value={endpoint}
              onChange={(event) => setEndpoint(event.currentTarget.value)}
              spellCheck={false}
              autoComplete="off"
              maxLength={2_000}
              error={asParam(error, "base_url") ?? asParam(error, "endpoint")}
            />
            {moved && keys.length > 0 && (
              <Text size="sm" c="var(--warn)">
                With another address, {keys.length === 1 ? "your key has" : "your keys have"} to be entered again.
              </Text>
            )}
            {error !== null && <Failed error={error} compact />}
            {changed && (
              <Group gap="xs">
                <Button type="submit" size="xs" loading={busy}>
                  Save settings
                </Button>
              </Group>
            )}
          </Stack>
        </form>
      </Stack>
    </section>
  );
}

function asParam(error: unknown, param: string): string | undefined {
  if (error === null) return undefined;
  const problem = asProblem(error);
  return problem.param === param ? problem.said : undefined;
}
