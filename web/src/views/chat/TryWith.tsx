import { Modal, Stack, Text, TextInput, UnstyledButton } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import type { ChatRequest } from "../../api/chat";
import { chats, type Model, useModels } from "../../api/models";
import { isQuote, type Quoted, quote } from "../../api/quote";
import { Money } from "../../parts/Figures";
import { money } from "../../parts/figures";
import { useFocusBack } from "../../parts/focus";
import { Failed, Waiting } from "../../parts/States";
import classes from "./Chat.module.css";

/** As many as are quoted at once, and as a person looks through. */
const MOST_SHOWN = 40;

/** Other models for the same question, each with what it would cost beside the one that answered. */
export function TryWith(props: {
  request: () => Promise<ChatRequest>;
  current: string;
  choose: (model: string) => void;
  close: () => void;
}) {
  const { request, current, choose, close } = props;
  useFocusBack();
  const [search, setSearch] = useState("");
  const [wanted] = useDebouncedValue(search, 250);
  const models = useModels();
  const found = useMemo(() => among(models.data ?? [], wanted, current), [models.data, wanted, current]);
  const names = found.map((one) => one.target);
  const quotes = useQuery({
    queryKey: ["chat", "others", current, names.join()],
    queryFn: async ({ signal }) => {
      const { model: _, ...rest } = await request();
      return quote(rest, names, { current, signal });
    },
    enabled: names.length > 0,
    gcTime: 0,
    staleTime: 0,
    retry: false,
  });
  const listed = useMemo(() => [...(quotes.data ?? [])].sort(cheapestFirst), [quotes.data]);
  return (
    <Modal
      opened
      onClose={close}
      title="Try with another model"
      closeButtonProps={{ "aria-label": "Close" }}
      size="lg"
      attributes={{ header: { role: "none" } }}
    >
      <TextInput
        label="Find a model"
        value={search}
        data-autofocus
        onChange={(event) => setSearch(event.currentTarget.value)}
        mb="sm"
      />
      {models.isError && <Failed error={models.error} compact retry={() => void models.refetch()} />}
      {quotes.isError && <Failed error={quotes.error} compact retry={() => void quotes.refetch()} />}
      {quotes.isPending && names.length > 0 && <Waiting rows={5} height={32} />}
      {names.length === 0 && models.data && (
        <Text className="quiet">No other model that can be asked is called that.</Text>
      )}
      <Stack component="ul" className={classes.list} gap={2}>
        {listed.map((one) => (
          <li key={one.asked}>
            <Choice
              quoted={one}
              choose={() => {
                choose(one.asked);
                close();
              }}
            />
          </li>
        ))}
      </Stack>
      {found.length === MOST_SHOWN && (
        <Text size="sm" className="quiet" mt="xs">
          The first {MOST_SHOWN} are shown. Type some of a name to find others.
        </Text>
      )}
    </Modal>
  );
}

function Choice({ quoted, choose }: { quoted: Quoted; choose: () => void }) {
  if (!isQuote(quoted)) {
    return (
      <div className={classes.choice}>
        <span className="quiet">{quoted.asked}</span>
        <Text span size="sm" className="quiet">
          {quoted.error.message}
        </Text>
      </div>
    );
  }
  return (
    <UnstyledButton className={classes.choice} onClick={choose}>
      <span>{quoted.asked}</span>
      <Text span size="sm" ta="right" className="quiet">
        <strong>{beside(quoted.difference)}</strong>
        {quoted.expected !== null && quoted.price?.source !== "free" && (
          <>
            {" "}
            · <Money nanoUsd={quoted.expected} about />
          </>
        )}
      </Text>
    </UnstyledButton>
  );
}

function beside(difference: number | null): string {
  if (difference === null) return "price unknown";
  if (difference === 0) return "costs the same";
  return `about ${money(Math.abs(difference))} ${difference > 0 ? "more" : "less"}`;
}

function among(models: readonly Model[], search: string, current: string): readonly Model[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return models
    .filter((one) => one.lack === null && chats(one) && one.target !== current)
    .filter((one) => words.every((word) => `${one.target} ${one.providerName}`.toLowerCase().includes(word)))
    .slice(0, MOST_SHOWN);
}

function cheapestFirst(one: Quoted, other: Quoted): number {
  const of = (quoted: Quoted) => (isQuote(quoted) ? (quoted.expected ?? 1e15) : 1e16);
  return of(one) - of(other);
}
