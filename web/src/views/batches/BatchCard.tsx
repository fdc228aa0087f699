import { Anchor, Box, Button, Group, List, Progress, Text, Title } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Ask } from "../../parts/Ask";
import { When } from "../../parts/Figures";
import { count, money } from "../../parts/figures";
import { useSay } from "../../parts/Said";
import { State, type Tone } from "../../parts/State";
import { type Batch, cancelBatch, contentPath, getBatch, isOver } from "./gateway";

const STATUS: Record<Batch["status"], { tone: Tone; word: string }> = {
  validating: { tone: "warn", word: "Being read" },
  in_progress: { tone: "warn", word: "Goes on" },
  finalizing: { tone: "warn", word: "Comes to its end" },
  completed: { tone: "good", word: "Done" },
  failed: { tone: "bad", word: "Could not begin" },
  expired: { tone: "bad", word: "Its time was over" },
  cancelling: { tone: "warn", word: "Being cancelled" },
  cancelled: { tone: "quiet", word: "Cancelled" },
};
const NANO = 1e9;
const EVERY_MS = 2_000;
const MOST_ERRORS = 5;

/** One batch: how many of its lines are done, what they cost, and its files. */
export function BatchCard({ batch, name, viewer }: { batch: Batch; name: string; viewer: boolean }) {
  const queries = useQueryClient();
  const say = useSay();
  const [cancelling, setCancelling] = useState(false);
  const over = isOver(batch);
  const whole = useQuery({
    queryKey: ["batches", "one", batch.id, over],
    queryFn: () => getBatch(batch.id),
    refetchInterval: over ? false : EVERY_MS,
  });
  const now = whole.data ?? batch;
  const { total, completed, failed } = now.request_counts;
  const status = STATUS[now.status];
  const share = (part: number) => (total > 0 ? (part / total) * 100 : 0);
  return (
    <Box className="card" component="article" aria-label={name}>
      <Group justify="space-between" align="baseline" gap="xs">
        <Title order={2} style={{ overflowWrap: "anywhere" }}>
          {name}
        </Title>
        <State tone={status.tone}>{status.word}</State>
      </Group>
      <Text size="sm" className="quiet">
        Begun <When ms={batch.created_at * 1000} /> · {now.endpoint}
        {now.metadata?.ownkey_batch === "provider" && " · at the provider's own batch endpoint"}
      </Text>
      {total > 0 && (
        <>
          <Progress.Root size="lg" my="xs">
            <Progress.Section value={share(completed)} aria-label={`${name}: ${completed} of ${total} are done`} />
            <Progress.Section value={share(failed)} color="red" aria-label={`${name}: ${failed} of ${total} failed`} />
          </Progress.Root>
          <Text size="sm" className="figures" aria-live="polite">
            {count(completed)} of {count(total)} done
            {failed > 0 && `, ${count(failed)} failed`}
            {now.ownkey.in_doubt ? `, ${count(now.ownkey.in_doubt)} in doubt` : ""}
            {costs(now)}
          </Text>
        </>
      )}
      {now.ownkey.waits_for && !over && <Text c="var(--warn)">Waits for room: {now.ownkey.waits_for}</Text>}
      {now.errors && now.errors.data.length > 0 && (
        <List size="sm" mt="xs">
          {now.errors.data.slice(0, MOST_ERRORS).map((one) => (
            <List.Item key={`${one.line}/${one.message}`}>
              {one.line !== null && `Line ${one.line}: `}
              {one.message}
            </List.Item>
          ))}
          {now.errors.data.length > MOST_ERRORS && (
            <List.Item>and {now.errors.data.length - MOST_ERRORS} more</List.Item>
          )}
        </List>
      )}
      <Group mt="xs" gap="md">
        {now.output_file_id && (
          <Anchor href={contentPath(now.output_file_id)} download={called(name, "results")} size="sm">
            Download results
          </Anchor>
        )}
        {now.error_file_id && (
          <Anchor href={contentPath(now.error_file_id)} download={called(name, "errors")} size="sm">
            Download errors
          </Anchor>
        )}
        {!over && !viewer && now.status !== "cancelling" && (
          <Button variant="default" size="xs" onClick={() => setCancelling(true)}>
            Cancel batch
          </Button>
        )}
      </Group>
      {cancelling && (
        <Ask
          title={`Cancel the batch “${name}”?`}
          verb="Cancel batch"
          danger
          close={() => setCancelling(false)}
          act={async () => {
            await cancelBatch(batch.id);
            await queries.invalidateQueries({ queryKey: ["batches"] });
            say(`“${name}” is being cancelled.`);
          }}
        >
          {count(completed)} of {count(total)} are done. Those under way come to their ends, and nothing more is sent.
        </Ask>
      )}
    </Box>
  );
}

/** What it cost so far, and about what is to come: the rest as those that ended. */
function costs(batch: Batch): string {
  if (batch.ownkey.cost_usd === undefined) return "";
  const { total, completed, failed } = batch.request_counts;
  const nano = Number(batch.ownkey.cost_usd) * NANO;
  const left = total - completed - failed;
  if (isOver(batch)) return ` · ${money(nano)}`;
  return completed > 0 && left > 0
    ? ` · ${money(nano)} so far, about ${money((nano / completed) * left)} to come`
    : ` · ${money(nano)} so far`;
}

function called(name: string, kind: string): string {
  return `${name.replace(/\.jsonl$/, "")}.${kind}.jsonl`;
}
