import { Button, NativeSelect, NumberInput, Stack, TagsInput, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useEffect, useState } from "react";
import { api, told } from "../../api/client";
import { useKeeper } from "../../app/session";
import { Secret } from "../../parts/Secret";
import { Sheet } from "../../parts/Sheet";
import { Failed } from "../../parts/States";

const DAY_MS = 86_400_000;
const ENDS = { never: "Never", "7": "In 7 days", "30": "In 30 days", "90": "In 90 days", "365": "In a year" } as const;
const PERIODS = { day: "a day", week: "a week", month: "a month", ever: "in all" } as const;

/** A token for one program: with an end, a limit, and the models that it may ask, where that is wanted. */
export function NewToken({ made }: { made: (token: string | null) => void }) {
  const queries = useQueryClient();
  const keeper = useKeeper();
  const [name, setName] = useState("");
  const [ends, setEnds] = useState<keyof typeof ENDS>("never");
  const [budget, setBudget] = useState<string | number>("");
  const [per, setPer] = useState<keyof typeof PERIODS>("month");
  const [models, setModels] = useState<string[]>([]);
  const [kind, setKind] = useState<"use" | "service">("use");
  const making = useMutation({
    mutationFn: () =>
      told(
        api.POST("/api/byok/tokens", {
          body: {
            name,
            kind,
            per,
            models,
            budget_usd: budget === "" ? null : String(budget),
            expires_at_ms: ends === "never" ? null : Date.now() + Number(ends) * DAY_MS,
          },
        }),
      ),
    gcTime: 0,
    onSuccess: async ({ token }) => {
      made(token);
      await queries.invalidateQueries({ queryKey: ["tokens"] });
    },
  });
  useEffect(() => () => making.reset(), [making.reset]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    making.mutate();
  };
  return (
    <Sheet title="Make a token" back="/connect">
      {making.data ? (
        <Stack>
          <Text>Copy it now: it is not shown again. It stands in the lines of Connect until you leave that view.</Text>
          <Secret label={`Token “${making.data.made.name}”`} value={making.data.token} focused />
        </Stack>
      ) : (
        <form onSubmit={submit}>
          <Stack>
            <TextInput
              label="Name"
              description="The program that will use it, such as “editor”."
              required
              maxLength={80}
              data-autofocus
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <NumberInput
              label="May spend at most"
              description="Left empty, only your other limits hold."
              prefix="$"
              min={0}
              decimalScale={2}
              value={budget}
              onChange={setBudget}
            />
            <NativeSelect
              label="In"
              value={per}
              disabled={budget === ""}
              onChange={(event) => setPer(event.currentTarget.value as keyof typeof PERIODS)}
              data={Object.entries(PERIODS).map(([value, label]) => ({ value, label }))}
            />
            <TagsInput
              label="Only these models"
              description="Patterns such as openai/gpt-4o or anthropic/*; none for all."
              value={models}
              onChange={setModels}
            />
            <NativeSelect
              label="Ends"
              value={ends}
              onChange={(event) => setEnds(event.currentTarget.value as keyof typeof ENDS)}
              data={Object.entries(ENDS).map(([value, label]) => ({ value, label }))}
            />
            {keeper && (
              <NativeSelect
                label="For"
                value={kind}
                onChange={(event) => setKind(event.currentTarget.value as "use" | "service")}
                data={[
                  { value: "use", label: "A program of mine" },
                  { value: "service", label: "An application whose users bring their own keys" },
                ]}
              />
            )}
            {making.isError && <Failed error={making.error} compact />}
            <Button type="submit" loading={making.isPending}>
              Make the token
            </Button>
          </Stack>
        </form>
      )}
    </Sheet>
  );
}
