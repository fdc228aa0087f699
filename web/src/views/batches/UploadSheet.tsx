import { Button, Checkbox, FileInput, Group, List, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useNavigate } from "react-router";
import { onPage } from "../../api/words";
import { count, money, nano, plural } from "../../parts/figures";
import { useSay } from "../../parts/Said";
import { Sheet } from "../../parts/Sheet";
import { Failed, Waiting } from "../../parts/States";
import { beginBatch, type Cost } from "./gateway";
import { type Found, read } from "./lines";
import { Price } from "./Price";
import { type Priced, usePriced } from "./priced";

const BACK = "/batches";
const MOST_MODELS = 6;
const MOST_FAULTS = 3;

/** A file of requests, looked through and priced before anything of it is sent to a provider. */
export function UploadSheet() {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const say = useSay();
  const [file, setFile] = useState<File | null>(null);
  const [found, setFound] = useState<Found | null>(null);
  const [atProvider, setAtProvider] = useState(false);
  const take = async (chosen: File | null) => {
    setFile(chosen);
    setFound(chosen && (await read(chosen)));
  };
  const endpoint = found?.endpoint ?? null;
  const { priced, error, begun } = usePriced(file, endpoint);
  const apart = priced?.quote.total.provider_batch ?? null;
  const ready = priced !== null && priced.quote.errors.length === 0 && priced.quote.models.length > 0;
  const beginning = useMutation({
    mutationFn: ({ from, at }: { from: Priced; at: string }) => beginBatch(from.file, at, atProvider && apart !== null),
    onSuccess: async (_, { from }) => {
      begun(from.file);
      await queries.invalidateQueries({ queryKey: ["batches"] });
      say("The batch has begun.");
      await navigate(BACK);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (ready && endpoint) beginning.mutate({ from: priced, at: endpoint });
  };
  return (
    <Sheet title="Begin a batch" back={BACK}>
      <form onSubmit={submit}>
        <Stack>
          <FileInput
            label="File of requests"
            description="JSONL, each line as OpenAI's batches have it: custom_id, method, url, body. At most 32 MiB."
            placeholder="Choose a file"
            accept=".jsonl,application/jsonl"
            value={file}
            onChange={(chosen) => void take(chosen)}
            error={found?.fault ?? faults(priced)}
            clearable
            clearButtonProps={{ "aria-label": "Leave out the file" }}
          />
          <div role="status" aria-label="What is in it">
            {found && endpoint && <Within found={found} endpoint={endpoint} />}
            {ready && <Price quote={priced.quote} savedNano={atProvider ? saved(apart) : 0} />}
          </div>
          {endpoint && !priced && !error && <Waiting rows={3} />}
          {error !== null && <Failed error={error} compact />}
          {ready && apart && (
            <Checkbox
              label="Send it to the provider's own batch endpoint"
              description={there(apart, priced.quote.total.lines)}
              checked={atProvider}
              onChange={(event) => setAtProvider(event.currentTarget.checked)}
            />
          )}
          <Text size="sm" className="quiet">
            Your budgets hold for each line. Where one is used up, the batch waits for room.
          </Text>
          {beginning.isError && <Failed error={beginning.error} compact />}
          <Group justify="flex-end">
            <Button type="submit" disabled={!ready} loading={beginning.isPending}>
              Begin the batch
            </Button>
          </Group>
        </Stack>
      </form>
    </Sheet>
  );
}

function Within({ found, endpoint }: { found: Found; endpoint: string }) {
  const models = [...found.models].slice(0, MOST_MODELS).map(([model, many]) => `${model} (${count(many)})`);
  const more = found.models.size - models.length;
  return (
    <List size="md" mb="xs">
      <List.Item>{plural(found.lines, "request", "requests")}</List.Item>
      <List.Item>to {endpoint}</List.Item>
      <List.Item>
        for {models.join(", ")}
        {more > 0 && ` and ${plural(more, "more model", "more models")}`}
      </List.Item>
    </List>
  );
}

/** What is wrong with its lines, as far as a field can say it. */
function faults(priced: Priced | null): string | undefined {
  if (!priced) return undefined;
  const { errors, models, refused } = priced.quote;
  if (errors.length === 0)
    return models.length === 0 ? `No request can be asked: ${onPage(refused[0]?.message ?? "").says}` : undefined;
  const rest = errors.length - MOST_FAULTS;
  const told = errors.slice(0, MOST_FAULTS).map((one) => one.message);
  return [...told, ...(rest > 0 ? [`And ${plural(rest, "more line", "more lines")}.`] : [])].join(" ");
}

function saved(apart: Cost["provider_batch"]): number {
  return apart ? (nano(apart.otherwise_usd) ?? 0) - (nano(apart.expected_usd) ?? 0) : 0;
}

function there(apart: NonNullable<Cost["provider_batch"]>, lines: number): string {
  const [cheap, usual] = [apart.expected_usd, apart.otherwise_usd].map((usd) => money(nano(usd) ?? 0));
  const whose = apart.lines === lines ? "All of it" : plural(apart.lines, "request", "requests");
  return `${whose} within 24 hours, for about ${cheap} in place of ${usual}.`;
}
