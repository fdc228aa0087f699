import { Anchor, Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useInfiniteQuery, useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useSearchParams } from "react-router";
import { api, type Shape, told } from "../../api/client";
import { usePerson } from "../../app/session";
import { When } from "../../parts/Figures";
import { count } from "../../parts/figures";
import { State } from "../../parts/State";
import { Empty, Failed, Waiting } from "../../parts/States";
import classes from "./Activity.module.css";

type Entry = Shape<"RecordShape">;

const PAGE = 60;
const PATIENCE_MS = 200;

/** The audit trail in sentences, the newest first. */
export function Trail() {
  const sees = usePerson().role !== "member";
  const [given, setGiven] = useSearchParams();
  // The address follows later than one types.
  const [text, setText] = useState(given.get("text") ?? "");
  const [asked] = useDebouncedValue(text, PATIENCE_MS);
  const records = useInfiniteQuery({
    queryKey: ["audit", asked],
    queryFn: ({ pageParam }) =>
      told(
        api.GET("/api/byok/audit", {
          params: { query: { text: asked || undefined, before: pageParam ?? undefined, limit: PAGE } },
        }),
      ),
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.next,
  });
  const found = records.data?.pages.flatMap((page) => page.records) ?? [];
  return (
    <Stack>
      <Group justify="space-between" align="flex-end">
        <TextInput
          aria-label="Filter the trail"
          placeholder="Filter, such as OpenAI or key.added"
          leftSection={<IconSearch size={16} aria-hidden />}
          value={text}
          onChange={(event) => {
            const next = event.currentTarget.value;
            setText(next);
            setGiven(next ? { text: next } : {}, { replace: true });
          }}
          w={300}
          maw="100%"
        />
        {sees && <Verify />}
      </Group>
      {records.isError && <Failed error={records.error} retry={() => void records.refetch()} />}
      {records.isPending && <Waiting rows={8} />}
      {records.data && found.length === 0 && (
        <Empty title={asked ? "Nothing has that in it" : "Nothing was done yet"} />
      )}
      {found.length > 0 && (
        <ol className={`card ${classes.trail}`}>
          {found.map((entry) => (
            <Line key={entry.seq} entry={entry} />
          ))}
        </ol>
      )}
      {records.hasNextPage && (
        <Button
          variant="default"
          mx="auto"
          loading={records.isFetchingNextPage}
          onClick={() => void records.fetchNextPage()}
        >
          Show more
        </Button>
      )}
    </Stack>
  );
}

function Line({ entry }: { entry: Entry }) {
  return (
    <li>
      <div>
        <Text style={{ overflowWrap: "anywhere" }}>{entry.says}</Text>
        <Text size="sm" className="quiet">
          {entry.actor_name} · <span className={classes.name}>{entry.action}</span>
        </Text>
      </div>
      <Text size="sm" className="quiet" style={{ whiteSpace: "nowrap" }} component="div" ta="right">
        <When ms={entry.at_ms} />
        {entry.outcome !== "done" && entry.outcome !== "ok" && (
          <div>
            <State tone="bad">{entry.outcome}</State>
          </div>
        )}
      </Text>
    </li>
  );
}

/** Looks whether the trail is still what was written. */
function Verify() {
  const verifying = useMutation({ mutationFn: () => told(api.POST("/api/byok/audit/verify")) });
  const verdict = verifying.data;
  return (
    <Group gap="sm">
      <div role="status" aria-live="polite">
        {verdict?.whole && <State tone="good">{`${count(verdict.entries)} entries, chain whole`}</State>}
        {verdict && !verdict.whole && (
          <State tone="bad">{`Broken: ${verdict.problems.map((one) => one.says).join(" ")}`}</State>
        )}
        {verifying.isError && <Failed error={verifying.error} compact />}
      </div>
      {/* Not disabled meanwhile: what is disabled loses the keyboard. */}
      <Button
        variant="default"
        aria-busy={verifying.isPending}
        onClick={() => !verifying.isPending && verifying.mutate()}
      >
        Verify
      </Button>
      <Anchor href="/api/byok/audit/export" download="ownkey-audit.jsonl" size="sm">
        Export
      </Anchor>
    </Group>
  );
}
