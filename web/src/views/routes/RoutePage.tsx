import {
  Alert,
  Anchor,
  Box,
  Button,
  Fieldset,
  Group,
  SimpleGrid,
  Stack,
  Switch,
  TextInput,
  Title,
} from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Link, useNavigate } from "react-router";
import { api, told } from "../../api/client";
import { useKeeper, usePerson } from "../../app/session";
import { Ask } from "../../parts/Ask";
import { PageHead } from "../../parts/PageHead";
import { useSay } from "../../parts/Said";
import { Failed } from "../../parts/States";
import { bodyOf, type Change, type Draft, draftOf } from "./draft";
import { Failing, HardRules, Strategy } from "./RouteParts";
import { Targets } from "./Targets";
import { WhatIf } from "./WhatIf";
import type { Route } from "./words";

/** One route, new or as it is: whom it asks, how one is chosen, and what would happen. */
export function RoutePage({ route }: { route: Route | null }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const say = useSay();
  const keeper = useKeeper();
  const viewer = usePerson().role === "viewer";
  const fixed = viewer || route?.whose === "ownkey" || (route?.whose === "everybody" && !keeper);
  const [draft, setDraft] = useState<Draft>(() => draftOf(route));
  const [removing, setRemoving] = useState(false);
  const [gone, setGone] = useState(false);
  const change: Change = (part) => setDraft((before) => ({ ...before, ...part }));
  const changed = route === null || JSON.stringify(draft) !== JSON.stringify(draftOf(route));
  const name = draft.name.trim();
  const saving = useMutation({
    mutationFn: () => {
      const body = bodyOf(draft);
      if (route === null) return told(api.POST("/api/byok/routes", { body: { ...body, name } }));
      return told(api.PUT("/api/byok/routes/{route}", { params: { path: { route: route.name } }, body }));
    },
    onSuccess: async (saved) => {
      await queries.invalidateQueries({ queryKey: ["routes"] });
      setDraft(draftOf(saved));
      say(`Saved ${saved.name}. Ask for it as a model.`);
      if (route === null) await navigate(`/routes/${encodeURIComponent(saved.name)}`, { replace: true });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    saving.mutate();
  };
  return (
    <>
      <Anchor component={Link} to="/routes" size="sm">
        All routes
      </Anchor>
      <PageHead title={route ? route.name : "Add a route"} says={route ? saysOf(route) : undefined} />
      {fixed && route?.whose !== "ownkey" && (
        <Alert color="gray" mb="md">
          {viewer
            ? "You can look at it, and change nothing."
            : "It is everybody's. Who keeps this Ownkey can change it."}
        </Alert>
      )}
      {route?.whose !== "ownkey" && (
        <form onSubmit={submit} noValidate>
          <Fieldset variant="unstyled" disabled={fixed}>
            <Stack gap="md">
              {route === null && (
                <TextInput
                  label="Name"
                  description="Small letters, digits and . _ - : what programs ask for as a model."
                  required
                  maxLength={64}
                  maw={420}
                  value={draft.name}
                  onChange={(event) => change({ name: event.currentTarget.value })}
                  autoComplete="off"
                  spellCheck={false}
                />
              )}
              <Box component="section" aria-labelledby="targets">
                <Title order={2} id="targets" mb="xs">
                  Who is asked
                </Title>
                <Targets targets={draft.targets} change={(targets) => change({ targets })} fixed={fixed} />
              </Box>
              <SimpleGrid cols={{ base: 1, md: 2, lg: 3 }}>
                <Strategy draft={draft} change={change} />
                <Failing draft={draft} change={change} />
                <HardRules draft={draft} change={change} />
              </SimpleGrid>
              {keeper && route === null && (
                <Switch
                  label="For everybody here"
                  checked={draft.everybody}
                  onChange={(event) => change({ everybody: event.currentTarget.checked })}
                />
              )}
            </Stack>
          </Fieldset>
          {saving.isError && (
            <Box mt="md">
              <Failed error={saving.error} compact />
            </Box>
          )}
          {!fixed && (
            <Group mt="md" justify="space-between">
              <Button
                type="submit"
                loading={saving.isPending}
                disabled={!changed || name === "" || draft.targets.length === 0}
              >
                {route ? "Save route" : "Add route"}
              </Button>
              {route && (
                <Button variant="subtle" color="red" onClick={() => setRemoving(true)}>
                  Remove route
                </Button>
              )}
            </Group>
          )}
        </form>
      )}
      {route && !gone && <WhatIf route={route} stale={changed && !fixed} />}
      {removing && route && (
        <Ask
          title={`Remove the route “${route.name}”?`}
          verb="Remove route"
          danger
          close={() => setRemoving(false)}
          act={async () => {
            // What it would do is asked no more: there would be no such route.
            setGone(true);
            const query = route.whose === "everybody" ? { everybody: true } : {};
            try {
              await api.DELETE("/api/byok/routes/{route}", { params: { path: { route: route.name }, query } });
            } catch (error) {
              setGone(false);
              throw error;
            }
            say(`Removed ${route.name}.`);
            await navigate("/routes");
            await queries.invalidateQueries({ queryKey: ["routes", "list"] });
          }}
        >
          What asks for a model of this name gets an error then.
        </Ask>
      )}
    </>
  );
}

function saysOf(route: Route) {
  if (route.whose === "ownkey") {
    return "It is always there. Make a route of your own to choose otherwise.";
  }
  return (
    <>
      Ask for <code>{route.name}</code> as a model: at the gateway, in Python, or by the command.
    </>
  );
}
