import { Anchor, Button, Group, NumberInput, Stack, Switch, Text, TextInput, Title } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { useChange } from "../../api/change";
import { api, type Shape, told } from "../../api/client";
import { usePerson } from "../../app/session";
import { Ask } from "../../parts/Ask";
import { Money, When } from "../../parts/Figures";
import { count, money, plural } from "../../parts/figures";
import { useSay } from "../../parts/Said";
import { Answered, Empty, Failed } from "../../parts/States";
import classes from "./Settings.module.css";

type Terms = Shape<"TermsShape">;
type Cached = Shape<"CacheShape">;

const TERMS = ["history", "terms"];
const CACHE = ["cache"];
const HOUR_S = 3600;
const PATIENCE_MS = 250;

export function Remembered() {
  if (usePerson().role === "viewer") return <Empty title="Nothing is kept for a viewer">You ask no model here.</Empty>;
  return (
    <Stack maw={720} gap="lg">
      <History />
      <Cache />
    </Stack>
  );
}

function History() {
  const queries = useQueryClient();
  const say = useSay();
  const terms = useQuery({ queryKey: TERMS, queryFn: () => told(api.GET("/api/byok/history-terms")) });
  const [clearing, setClearing] = useState(false);
  const renew = () => queries.invalidateQueries({ queryKey: ["history"] });
  const { change, refused } = useChange<Terms>(
    TERMS,
    (_, { keep, days }) => told(api.PUT("/api/byok/history-terms", { body: { keep, days } })),
    renew,
  );
  return (
    <section className="card" aria-labelledby="history">
      <Title order={2} id="history" mb="xs">
        History
      </Title>
      <Text className="quiet" mb="sm">
        Kept only where you want it, encrypted under a key of your own, and seen by nobody else here.
      </Text>
      <Answered query={terms}>
        {(found) => (
          <Stack>
            <Switch
              label="Keep my chats"
              checked={found.keep}
              onChange={(event) => change({ keep: event.currentTarget.checked })}
            />
            {found.keep && (
              <NumberInput
                label="For how many days"
                description="Left empty, until you delete them."
                min={1}
                w={240}
                defaultValue={found.days ?? ""}
                onBlur={(event) => {
                  const days = Number(event.currentTarget.value) || null;
                  if (days !== found.days) change({ days });
                }}
              />
            )}
            {refused && <Failed error={refused} compact />}
            {found.count > 0 && (
              <>
                <Entries />
                <Button variant="light" color="red" w="fit-content" onClick={() => setClearing(true)}>
                  Delete all {count(found.count)}
                </Button>
              </>
            )}
            {clearing && (
              <Ask
                title={found.count === 1 ? "Delete the one chat?" : `Delete all ${count(found.count)} chats?`}
                verb="Delete"
                danger
                close={() => setClearing(false)}
                act={async () => {
                  await api.DELETE("/api/byok/history");
                  say("Your history was deleted.");
                  await renew();
                }}
              >
                What they cost stays in the book. This cannot be undone.
              </Ask>
            )}
          </Stack>
        )}
      </Answered>
    </section>
  );
}

/** Found as one types; each opens in Chat. */
function Entries() {
  const [text, setText] = useState("");
  const [asked] = useDebouncedValue(text.trim(), PATIENCE_MS);
  const found = useQuery({
    queryKey: ["history", "entries", asked],
    queryFn: () => told(api.GET("/api/byok/history", { params: { query: { text: asked || undefined, limit: 20 } } })),
  });
  return (
    <div>
      <TextInput label="Search" value={text} onChange={(event) => setText(event.currentTarget.value)} mb="xs" />
      <Answered query={found}>
        {({ entries }) => (
          <ul className={classes.lines}>
            {entries.length === 0 && <li className="quiet">Nothing has that in it.</li>}
            {entries.map((one) => (
              <li key={one.id}>
                <Anchor component={Link} to={`/chat/${encodeURIComponent(one.id)}`} size="sm" className={classes.said}>
                  {one.entry?.messages.at(-1)?.pieces[0]?.text || "A chat that cannot be read any more"}
                </Anchor>
                <Text size="sm" className="quiet" style={{ whiteSpace: "nowrap" }}>
                  <Money nanoUsd={one.cost_nano ?? null} /> · <When ms={one.at_ms} />
                </Text>
              </li>
            ))}
          </ul>
        )}
      </Answered>
    </div>
  );
}

function Cache() {
  const queries = useQueryClient();
  const say = useSay();
  const cache = useQuery({ queryKey: CACHE, queryFn: () => told(api.GET("/api/byok/cache")) });
  const { change, refused } = useChange<Cached>(CACHE, (_, { ttl_s, models }) =>
    told(api.PUT("/api/byok/cache", { body: { on: ttl_s !== null, ttl_s: ttl_s ?? HOUR_S, models } })),
  );
  const clearing = useMutation({
    mutationFn: () => told(api.DELETE("/api/byok/cache")),
    onSuccess: async ({ removed }) => {
      say(`${plural(removed, "answer was", "answers were")} deleted.`);
      await queries.invalidateQueries({ queryKey: CACHE });
    },
  });
  return (
    <section className="card" aria-labelledby="cache">
      <Title order={2} id="cache" mb="xs">
        Cache
      </Title>
      <Text className="quiet" mb="sm">
        Gives you the same answer again for exactly the same question, at no cost. Nobody else gets it.
      </Text>
      <Answered query={cache}>
        {(found) => (
          <Stack>
            <Switch
              label="Give answers again"
              checked={found.ttl_s !== null}
              onChange={(event) => change({ ttl_s: event.currentTarget.checked ? HOUR_S : null })}
            />
            {found.ttl_s !== null && (
              <NumberInput
                label="For how many hours"
                min={1}
                w={240}
                defaultValue={Math.max(1, Math.round(found.ttl_s / HOUR_S))}
                onBlur={(event) => {
                  const ttl_s = Math.max(1, Number(event.currentTarget.value) || 1) * HOUR_S;
                  if (ttl_s !== found.ttl_s) change({ ttl_s });
                }}
              />
            )}
            {(refused || clearing.isError) && <Failed error={refused ?? clearing.error} compact />}
            <Group justify="space-between">
              <Text>
                {plural(found.hits, "time", "times")} given again; {money(found.saved_nano)} saved.
              </Text>
              {found.answers > 0 && (
                <Button variant="default" size="xs" loading={clearing.isPending} onClick={() => clearing.mutate()}>
                  Delete {plural(found.answers, "answer", "answers")}
                </Button>
              )}
            </Group>
          </Stack>
        )}
      </Answered>
    </section>
  );
}
