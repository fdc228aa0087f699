import { Button, Checkbox, FileInput, Group, List, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useNavigate } from "react-router";
import { count } from "../../parts/figures";
import { useSay } from "../../parts/Said";
import { Sheet } from "../../parts/Sheet";
import { Failed } from "../../parts/States";
import { beginBatch } from "./gateway";
import { type Found, read } from "./lines";

const BACK = "/batches";

/** A file of requests, looked through before anything of it is sent. */
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
  const beginning = useMutation({
    mutationFn: ({ from, endpoint }: { from: File; endpoint: string }) => beginBatch(from, endpoint, atProvider),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["batches"] });
      say("The batch has begun.");
      await navigate(BACK);
    },
  });
  const endpoint = found?.endpoint ?? null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (file && endpoint) beginning.mutate({ from: file, endpoint });
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
            error={found?.fault}
            clearable
            clearButtonProps={{ "aria-label": "Leave out the file" }}
          />
          <div role="status">
            {found && endpoint && (
              <List size="md">
                <List.Item>{found.lines === 1 ? "1 request" : `${count(found.lines)} requests`}</List.Item>
                <List.Item>to {endpoint}</List.Item>
                <List.Item>
                  for{" "}
                  {[...found.models]
                    .slice(0, 6)
                    .map(([model, many]) => `${model} (${count(many)})`)
                    .join(", ")}
                  {found.models.size > 6 && ` and ${found.models.size - 6} more models`}
                </List.Item>
              </List>
            )}
          </div>
          <Checkbox
            label="Send it to the provider's own batch endpoint"
            description="OpenAI and Anthropic answer within 24 hours, for half the price."
            checked={atProvider}
            onChange={(event) => setAtProvider(event.currentTarget.checked)}
          />
          <Text size="sm" className="quiet">
            Your budgets hold for each line. Where one is used up, the batch waits for room.
          </Text>
          {beginning.isError && <Failed error={beginning.error} compact />}
          <Group justify="flex-end">
            <Button type="submit" disabled={!endpoint} loading={beginning.isPending}>
              Begin the batch
            </Button>
          </Group>
        </Stack>
      </form>
    </Sheet>
  );
}
