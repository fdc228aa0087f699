import { Alert, Button, Fieldset, Group, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useNavigate } from "react-router";
import { api, told } from "../../api/client";
import { useKeeper, usePerson } from "../../app/session";
import { Ask } from "../../parts/Ask";
import { useSay } from "../../parts/Said";
import { Sheet } from "../../parts/Sheet";
import { Empty, Failed } from "../../parts/States";
import type { Budget } from "./amount";
import { Exhaustion, Limit, Runs, Warning, Within } from "./BudgetParts";
import { bodyOf, type Draft, draftOf, isWhole } from "./draft";
import { Impact } from "./Impact";
import type { Named } from "./named";

const BACK = "/budgets";
const OWN = "bo_";

/** A budget, new or as it is, to be changed. */
export function BudgetSheet({ budget, wanted, named }: { budget: Budget | null; wanted: string; named: Named }) {
  if (budget === null && wanted !== "new") {
    return (
      <Sheet title="No such budget" back={BACK}>
        <Empty title="There is no such budget">It may have been removed.</Empty>
      </Sheet>
    );
  }
  return (
    <Sheet title={budget ? budget.name : "Add a budget"} back={BACK}>
      <BudgetForm budget={budget} named={named} />
    </Sheet>
  );
}

function BudgetForm({ budget, named }: { budget: Budget | null; named: Named }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const say = useSay();
  const keeper = useKeeper();
  const viewer = usePerson().role === "viewer";
  const fixed = viewer || (!keeper && budget !== null && !budget.id.startsWith(OWN));
  const [draft, setDraft] = useState<Draft>(() => draftOf(budget));
  const [removing, setRemoving] = useState(false);
  const change = (part: Partial<Draft>) => setDraft((before) => ({ ...before, ...part }));
  const name = draft.name.trim();
  const saving = useMutation({
    mutationFn: () => {
      const body = bodyOf(draft);
      if (budget === null) return told(api.POST("/api/byok/budgets", { body: { ...body, name } }));
      return told(api.PUT("/api/byok/budgets/{budget}", { params: { path: { budget: budget.id } }, body }));
    },
    onSuccess: async (impact) => {
      await queries.invalidateQueries({ queryKey: ["budgets"] });
      say(impact.refuses ? `Saved. Nothing is left of “${name}”: what falls under it is refused.` : `Saved “${name}”.`);
      await navigate(BACK);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    saving.mutate();
  };
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        {fixed && (
          <Alert color="gray">
            {viewer
              ? "You can look at it, and change nothing."
              : "This budget was set for you. An admin can change it."}
          </Alert>
        )}
        {budget === null && (
          <TextInput
            label="Name"
            description="It stands in what is said where it refuses something."
            required
            maxLength={100}
            value={draft.name}
            onChange={(event) => change({ name: event.currentTarget.value })}
            autoComplete="off"
            data-autofocus
          />
        )}
        <Fieldset variant="unstyled" disabled={fixed}>
          <Stack>
            <Limit draft={draft} change={change} fixed={fixed} />
            <Within draft={draft} change={change} named={named} />
            <Warning draft={draft} change={change} />
            <Runs draft={draft} change={change} />
            <Exhaustion draft={draft} change={change} />
          </Stack>
        </Fieldset>
        {!fixed && isWhole(draft) && <Impact draft={draft} budget={budget} />}
        {saving.isError && <Failed error={saving.error} compact />}
        {!fixed && (
          <Group justify="space-between">
            {budget ? (
              <Button variant="subtle" color="red" onClick={() => setRemoving(true)}>
                Remove budget
              </Button>
            ) : (
              <span />
            )}
            <Button type="submit" loading={saving.isPending} disabled={name === "" || !isWhole(draft)}>
              {budget ? "Save budget" : "Add budget"}
            </Button>
          </Group>
        )}
      </Stack>
      {removing && budget && (
        <Ask
          title={`Remove the budget “${budget.name}”?`}
          verb="Remove budget"
          danger
          close={() => setRemoving(false)}
          act={async () => {
            await api.DELETE("/api/byok/budgets/{budget}", { params: { path: { budget: budget.id } } });
            await queries.invalidateQueries({ queryKey: ["budgets"] });
            say(`Removed “${budget.name}”.`);
            await navigate(BACK);
          }}
        >
          <Text span>What it limits is limited by your other budgets alone. What was spent stays in the book.</Text>
        </Ask>
      )}
    </form>
  );
}
