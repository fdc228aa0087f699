import { Box, Button, Group, Select, Stack, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useNavigate } from "react-router";
import { api, type Shape, told } from "../../api/client";
import { useSay } from "../../parts/Said";
import { Sheet } from "../../parts/Sheet";
import { Answered, Failed } from "../../parts/States";
import type { Automation } from "./known";

type Choice = Shape<"ChoiceShape">;

const DEFAULT = "";
const MOST_SHOWN = 60;

/** Another model, with what it costs more per run, before anything is changed. */
export function ModelSheet({ automation, back }: { automation: Automation; back: string }) {
  const path = { params: { path: { automation: automation.name } } };
  const choices = useQuery({
    queryKey: ["automation-models", automation.name],
    queryFn: () => told(api.GET("/api/automations/{automation}/models", path)),
  });
  return (
    <Sheet title="Change model" back={back}>
      <Answered query={choices}>
        {({ providers }) => <Choices automation={automation} providers={providers} back={back} />}
      </Answered>
    </Sheet>
  );
}

function Choices({
  automation,
  providers,
  back,
}: {
  automation: Automation;
  providers: readonly Shape<"ProviderChoicesShape">[];
  back: string;
}) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const say = useSay();
  const [wanted, setWanted] = useState<string | null>(null);
  const all = useMemo(
    () =>
      new Map<string, Choice>(
        providers.flatMap((one) => one.models.map((choice) => [`${one.provider}/${choice.model}`, choice] as const)),
      ),
    [providers],
  );
  const data = useMemo(
    () => [
      ...(automation.model === null ? [] : [{ value: DEFAULT, label: "The default for new automations" }]),
      ...providers.map((one) => ({
        group: one.provider,
        items: one.models.map(({ model }) => `${one.provider}/${model}`),
      })),
    ],
    [providers, automation.model],
  );
  const change = (confirmed: boolean) =>
    told(
      api.PATCH("/api/automations/{automation}/model", {
        params: { path: { automation: automation.name } },
        body: { model: wanted === DEFAULT ? null : wanted, confirmed },
      }),
    );
  const asked = useQuery({
    queryKey: ["automation-models", automation.name, "to", wanted],
    queryFn: () => change(false),
    enabled: wanted !== null,
  });
  const switching = useMutation({
    mutationFn: () => change(true),
    onSuccess: async (changed) => {
      void queries.invalidateQueries({ queryKey: ["automation-models"] });
      await queries.invalidateQueries({ queryKey: ["automations"] });
      say(`The next run uses ${changed.after}.`);
      await navigate(back);
    },
  });
  return (
    <Stack>
      <Text>
        Now: <strong>{automation.model_asked}</strong>
      </Text>
      <Select
        label="New model"
        placeholder="Choose a model"
        data={data}
        value={wanted}
        onChange={setWanted}
        searchable
        limit={MOST_SHOWN}
        maxDropdownHeight={360}
        nothingFoundMessage="No model is called that."
        renderOption={({ option }) => <Option label={option.label} choice={all.get(option.value)} />}
        data-autofocus
      />
      {wanted !== null && (
        <Answered query={asked}>
          {(told) => (
            <Box className="card" role="status">
              <Text fw={600}>{sentence(told.says)}</Text>
              <Text size="sm" className="quiet">
                From {told.before} to {told.after}, by {told.basis}.
              </Text>
            </Box>
          )}
        </Answered>
      )}
      {switching.isError && <Failed error={switching.error} compact />}
      <Group justify="flex-end">
        <Button variant="default" onClick={() => void navigate(back)}>
          Keep {automation.model_asked}
        </Button>
        <Button
          disabled={!asked.data || wanted === null}
          loading={switching.isPending}
          onClick={() => switching.mutate()}
        >
          Switch model
        </Button>
      </Group>
    </Stack>
  );
}

function Option({ label, choice }: { label: string; choice: Choice | undefined }) {
  return (
    <Group justify="space-between" w="100%" gap="xs" wrap="nowrap">
      <Text span style={{ overflowWrap: "anywhere" }}>
        {label}
      </Text>
      <Text span size="xs" ta="right" className="figures">
        {choice ? (choice.current ? "now" : choice.says) : ""}
      </Text>
    </Group>
  );
}

function sentence(says: string): string {
  if (says.startsWith("about ")) return `This will cost ${says}.`;
  return `${says.charAt(0).toUpperCase()}${says.slice(1)}.`;
}
