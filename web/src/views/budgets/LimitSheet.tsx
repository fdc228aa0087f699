import { Alert, Button, Group, NativeSelect, NumberInput, Select, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useNavigate } from "react-router";
import { api, told } from "../../api/client";
import { type Person, useKeeper } from "../../app/session";
import { Ask } from "../../parts/Ask";
import { ModelPicker } from "../../parts/ModelPicker";
import { useSay } from "../../parts/Said";
import { Sheet } from "../../parts/Sheet";
import { Empty, Failed } from "../../parts/States";
import { KINDS, type RateLimit } from "./Limits";
import type { Named, Option } from "./named";

const BACK = "/budgets";
const MOST = 1_000_000_000;

type Parts = Pick<RateLimit, "requests_per_minute" | "tokens_per_minute" | "parallel">;
const NOTHING: Parts = { requests_per_minute: null, tokens_per_minute: null, parallel: null };
const PARTS: readonly { part: keyof Parts; label: string }[] = [
  { part: "requests_per_minute", label: "Requests a minute" },
  { part: "tokens_per_minute", label: "Tokens a minute, in and out" },
  { part: "parallel", label: "Calls at once" },
];

/** A rate limit, new or as it is. */
export function LimitSheet({
  limit,
  wanted,
  named,
  person,
}: {
  limit: RateLimit | null;
  wanted: string;
  named: Named;
  person: Person;
}) {
  if (limit === null && wanted !== "new") {
    return (
      <Sheet title="No such rate limit" back={BACK}>
        <Empty title="There is no such rate limit">It may have been removed.</Empty>
      </Sheet>
    );
  }
  return (
    <Sheet title={limit ? limit.named : "Add a rate limit"} back={BACK}>
      <LimitForm limit={limit} named={named} person={person} />
    </Sheet>
  );
}

function LimitForm({ limit, named, person }: { limit: RateLimit | null; named: Named; person: Person }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const say = useSay();
  const keeper = useKeeper();
  const fixed = person.role === "viewer" || (limit !== null && limit.owner !== (keeper ? null : person.id));
  const [kind, setKind] = useState<RateLimit["kind"]>(limit?.kind ?? "provider");
  const [name, setName] = useState<string | null>(limit?.name ?? null);
  const [parts, setParts] = useState<Parts>(limit ?? NOTHING);
  const [removing, setRemoving] = useState(false);
  const saving = useMutation({
    mutationFn: () => {
      const { requests_per_minute, tokens_per_minute, parallel } = parts;
      const body = { kind, name: name ?? "", requests_per_minute, tokens_per_minute, parallel };
      return told(api.PUT("/api/byok/limits", { body }));
    },
    onSuccess: async (saved) => {
      await queries.invalidateQueries({ queryKey: ["limits"] });
      say(`Saved the rate limit for ${saved.named}.`);
      await navigate(BACK);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    saving.mutate();
  };
  const empty = PARTS.every(({ part }) => parts[part] === null);
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        {fixed && <Alert color="gray">You can look at it, and not change it.</Alert>}
        {limit === null && (
          <>
            <NativeSelect
              label="For a"
              data={Object.entries(KINDS).map(([value, label]) => ({ value, label }))}
              value={kind}
              onChange={(event) => {
                const found = event.currentTarget.value;
                if (isKind(found)) setKind(found);
                setName(null);
              }}
            />
            {kind === "model" ? (
              <ModelPicker label="Model" value={name} choose={setName} fits={() => true} />
            ) : (
              <Select
                label={KINDS[kind]}
                placeholder="Choose one"
                data={[...optionsFor(kind, named)]}
                value={name}
                onChange={setName}
                searchable
                nothingFoundMessage="Nothing is called that."
              />
            )}
          </>
        )}
        {PARTS.map(({ part, label }) => (
          <NumberInput
            key={part}
            label={label}
            placeholder="As otherwise"
            min={0}
            max={MOST}
            allowDecimal={false}
            allowNegative={false}
            thousandSeparator=","
            value={parts[part] ?? ""}
            onChange={(value) => setParts((before) => ({ ...before, [part]: value === "" ? null : Number(value) }))}
            disabled={fixed}
          />
        ))}
        <Text size="sm" className="quiet">
          0 is any number. An empty field says nothing, and what else holds is kept.
        </Text>
        {saving.isError && <Failed error={saving.error} compact />}
        {!fixed && (
          <Group justify="space-between">
            {limit ? (
              <Button variant="subtle" color="red" onClick={() => setRemoving(true)}>
                Remove rate limit
              </Button>
            ) : (
              <span />
            )}
            <Button type="submit" loading={saving.isPending} disabled={!name || empty}>
              {limit ? "Save rate limit" : "Add rate limit"}
            </Button>
          </Group>
        )}
      </Stack>
      {removing && limit?.id && (
        <Ask
          title={`Remove the rate limit for ${limit.named}?`}
          verb="Remove rate limit"
          danger
          close={() => setRemoving(false)}
          act={async () => {
            await api.DELETE("/api/byok/limits/{limit}", { params: { path: { limit: limit.id ?? "" } } });
            await queries.invalidateQueries({ queryKey: ["limits"] });
            say(`Removed the rate limit for ${limit.named}.`);
            await navigate(BACK);
          }}
        >
          What holds otherwise holds again at once.
        </Ask>
      )}
    </form>
  );
}

function isKind(text: string): text is RateLimit["kind"] {
  return text in KINDS;
}

function optionsFor(kind: RateLimit["kind"], named: Named): readonly Option[] {
  if (kind === "provider") return named.providers;
  if (kind === "key") return named.keys;
  return kind === "user" ? named.people : named.tokens;
}
