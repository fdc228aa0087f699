import { Button, Stack, Text, Title } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, proveNow, type Shape, told } from "../../api/client";
import { asProblem, Problem } from "../../api/problem";
import { besideButton } from "../../api/words";
import { readSession, useKeeper } from "../../app/session";
import { Ask } from "../../parts/Ask";
import { duration } from "../../parts/figures";
import { useSay } from "../../parts/Said";
import { ending, type Key, masked, type Provider, refresh } from "./data";
import { KeyForm } from "./KeyForm";
import { KeyRow } from "./KeyRow";
import classes from "./Providers.module.css";
import { useRemoval } from "./removal";
import { many } from "./tested";

type Stored = Shape<"StoredShape">;

/** The keys of one provider, in the order in which they are tried, and where another is added. */
export function KeyList({
  provider,
  keys,
  others,
}: {
  provider: Provider;
  keys: readonly Key[];
  others: readonly Provider[];
}) {
  const [adding, setAdding] = useState(false);
  const [stored, setStored] = useState<Stored | null>(null);
  const [removing, setRemoving] = useState<Key | null>(null);
  const order = useOrder(provider, keys);
  const keep = (kept: Stored) => {
    setStored(kept);
    setAdding(false);
  };
  const first = keys.length === 0 && stored === null;
  return (
    <section aria-labelledby="keys">
      <Title order={2} id="keys" mb="xs">
        {keys.length === 1 ? "Your key" : "Your keys"}
      </Title>
      {keys.length > 0 && (
        <ul className={classes.rows}>
          {keys.map((key, at) => (
            <KeyRow
              key={key.id}
              provider={provider}
              value={key}
              earlier={at > 0 ? () => order(at, at - 1) : null}
              later={at < keys.length - 1 ? () => order(at, at + 1) : null}
              remove={() => setRemoving(key)}
              replaced={keep}
            />
          ))}
        </ul>
      )}
      <div role="status">{stored && <Saved stored={stored} provider={provider} />}</div>
      {adding || (first && provider.key_required) ? (
        <KeyForm provider={provider} others={others} saved={keep} cancel={first ? undefined : () => setAdding(false)} />
      ) : (
        <Stack gap="xs" align="flex-start" mt="xs">
          {first && <Text className="quiet">It needs none. Where yours wants one, it goes here.</Text>}
          <Button
            variant="default"
            size="xs"
            leftSection={<IconPlus size={14} aria-hidden />}
            onClick={() => {
              setStored(null);
              setAdding(true);
            }}
          >
            {first ? "Add a key" : "Add another key"}
          </Button>
        </Stack>
      )}
      {removing && (
        <RemoveKey provider={provider} value={removing} last={keys.length === 1} close={() => setRemoving(null)} />
      )}
    </section>
  );
}

/** What was asked, how long that took, and under what the key is kept. */
function Saved({ stored, provider }: { stored: Stored; provider: Provider }) {
  const { asked, took_ms, models, says, key } = stored;
  const after = took_ms === null ? "" : ` in ${duration(took_ms)}`;
  const answered =
    asked && !says ? `${asked} answered${after}${models === null ? "" : `, with ${many(models)}`}. ` : "";
  return (
    <Text my="xs" c={says ? undefined : "var(--good)"} style={{ overflowWrap: "anywhere" }}>
      {says ? "" : "✓ "}
      {answered}Saved as {masked(key)}, for {provider.name} alone.{says && ` ${besideButton(says)}`}
    </Text>
  );
}

function useOrder(provider: Provider, keys: readonly Key[]): (from: number, to: number) => void {
  const queries = useQueryClient();
  const say = useSay();
  const keep = async (from: number, to: number) => {
    const labels = keys.map((key) => key.label);
    labels.splice(to, 0, ...labels.splice(from, 1));
    try {
      await told(
        api.PUT("/api/byok/key-order/{provider}", { params: { path: { provider: provider.id } }, body: { labels } }),
      );
      say(`${provider.name}'s keys are tried in another order.`);
    } catch (error) {
      say(`The order is as it was. ${asProblem(error).said}`);
    }
    await refresh(queries);
  };
  return (from, to) => void keep(from, to);
}

export function useUses(provider: string) {
  const keeper = useKeeper();
  return useQuery({
    queryKey: ["providers", "uses", provider],
    queryFn: () => told(api.GET("/api/byok/providers/{provider}/uses", { params: { path: { provider } } })),
    enabled: keeper,
    staleTime: 0,
  });
}

/** `3 automations (daily, weekly, tags), 1 route (fast)`; nothing where nothing does. */
export function usedBy(uses: Shape<"UsesShape"> | undefined): string {
  if (uses === undefined) return "";
  const named = (names: readonly string[], one: string) =>
    names.length === 0 ? [] : [`${names.length} ${one}${names.length === 1 ? "" : "s"} (${some(names)})`];
  return [
    ...named(uses.automations, "automation"),
    ...named(uses.routes, "route"),
    ...named(uses.budgets, "budget"),
  ].join(", ");
}

function some(names: readonly string[]): string {
  return names.length > 4 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");
}

function RemoveKey({
  provider,
  value,
  last,
  close,
}: {
  provider: Provider;
  value: Key;
  last: boolean;
  close: () => void;
}) {
  const remove = useRemoval();
  const uses = useUses(provider.id);
  const named = usedBy(uses.data);
  const says = last
    ? named
      ? `${named} ask ${provider.name}: without its last key they fail, or go on elsewhere where you let them.`
      : `It is your last key of ${provider.name}: nothing can be asked there until you add another.`
    : `Your other keys of ${provider.name} go on${named ? ` for ${named}` : ""}.`;
  return (
    <Ask
      title={`Remove ${ending(value)}?`}
      verb="Remove the key"
      danger
      close={close}
      act={async () => {
        await isProved();
        await remove(value);
      }}
    >
      {says}
    </Ask>
  );
}

/** What is asked for only when it happens is asked for now, while somebody is there. */
async function isProved(): Promise<void> {
  const { proved } = await readSession();
  if (!proved && !(await proveNow())) {
    throw new Problem({ status: 403, code: "proof_required", message: "This asks for your password again." });
  }
}
