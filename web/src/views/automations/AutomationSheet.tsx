import { Alert, Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { api, told } from "../../api/client";
import { usePerson } from "../../app/session";
import { Ask } from "../../parts/Ask";
import { ModelPicker } from "../../parts/ModelPicker";
import { useSay } from "../../parts/Said";
import { Sheet } from "../../parts/Sheet";
import { Answered, Failed } from "../../parts/States";
import { faultOf } from "../budgets/amount";
import { Fields, More, RunLimit } from "./AutomationParts";
import { bodyOf, type Draft, draftOf, schemaFault } from "./draft";
import { AUTO, type Automation, pathOf, type Starter, useStarters } from "./known";
import { PromptField } from "./PromptField";

/** An automation to be made, from nothing or a starter, or to be changed. */
export function AutomationSheet({ automation, back }: { automation: Automation | null; back: string }) {
  const [search] = useSearchParams();
  const starters = useStarters();
  const wanted = automation === null ? search.get("starter") : null;
  return (
    <Sheet title={automation ? `Edit ${automation.name}` : "Add an automation"} back={back}>
      {wanted === null ? (
        <AutomationForm automation={automation} starter={null} />
      ) : (
        <Answered query={starters}>
          {({ starters: all }) => (
            <AutomationForm automation={null} starter={all.find((one) => one.name === wanted) ?? null} />
          )}
        </Answered>
      )}
    </Sheet>
  );
}

function AutomationForm({ automation, starter }: { automation: Automation | null; starter: Starter | null }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const say = useSay();
  const viewer = usePerson().role === "viewer";
  const [draft, setDraft] = useState<Draft>(() => draftOf(automation ?? starter));
  const [removing, setRemoving] = useState(false);
  const change = (part: Partial<Draft>) => setDraft((before) => ({ ...before, ...part }));
  const started = starter !== null || automation?.starter != null;
  const name = draft.name.trim();
  const saving = useMutation({
    mutationFn: () => {
      const body = bodyOf(draft, started);
      if (automation) {
        return told(
          api.PATCH("/api/automations/{automation}", { params: { path: { automation: automation.name } }, body }),
        );
      }
      const more = { name, starter: starter?.name, model: draft.model ?? undefined };
      return told(api.POST("/api/automations", { body: { ...body, ...more } }));
    },
    onSuccess: async (saved) => {
      await queries.invalidateQueries({ queryKey: ["automations"] });
      say(`Saved ${saved.name}.`);
      await navigate(pathOf(saved.name));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    saving.mutate();
  };
  const faulty = faultOf(draft.limit, "usd") !== null || schemaFault(draft.schema) !== null;
  if (viewer) return <Alert color="gray">A viewer changes nothing here.</Alert>;
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        {starter && <Text>{starter.description}</Text>}
        {automation === null && (
          <TextInput
            label="Name"
            description="Letters and digits, with spaces, dots, _ or - between."
            required
            maxLength={100}
            value={draft.name}
            onChange={(event) => change({ name: event.currentTarget.value })}
            autoComplete="off"
            data-autofocus
          />
        )}
        <TextInput
          label="What it is for"
          value={draft.description}
          onChange={(event) => change({ description: event.currentTarget.value })}
          autoComplete="off"
        />
        <PromptField
          label="Prompt"
          description="What stands in {{braces}} is a field that each run fills."
          value={draft.prompt}
          change={(prompt) => change({ prompt })}
          required
        />
        {!started && <Fields draft={draft} change={change} />}
        {automation === null && (
          <ModelPicker
            label="Model"
            value={draft.model ?? AUTO}
            choose={(model) => change({ model: model === AUTO ? null : model })}
            others={[{ value: AUTO, label: "The default for new automations" }]}
          />
        )}
        <RunLimit draft={draft} change={change} />
        <More draft={draft} change={change} started={started} />
        {saving.isError && <Failed error={saving.error} compact />}
        <Group justify="space-between">
          {automation ? (
            <Button variant="subtle" color="red" onClick={() => setRemoving(true)}>
              Remove automation
            </Button>
          ) : (
            <span />
          )}
          <Button
            type="submit"
            loading={saving.isPending}
            disabled={name === "" || draft.prompt.trim() === "" || faulty}
          >
            {automation ? "Save automation" : "Add automation"}
          </Button>
        </Group>
      </Stack>
      {removing && automation && (
        <Ask
          title={`Remove the automation “${automation.name}”?`}
          verb="Remove automation"
          danger
          close={() => setRemoving(false)}
          act={async () => {
            await api.DELETE("/api/automations/{automation}", { params: { path: { automation: automation.name } } });
            await navigate("/automations");
            await queries.invalidateQueries({ queryKey: ["automations"] });
            say(`Removed ${automation.name}.`);
          }}
        >
          What its runs gave goes with it. What they cost stays in the book.
        </Ask>
      )}
    </form>
  );
}
