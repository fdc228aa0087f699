import { Button, Stack, Text, TextInput, UnstyledButton } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useNavigate } from "react-router";
import { api, type Shape, told } from "../../api/client";
import { asProblem } from "../../api/problem";
import { Money, When } from "../../parts/Figures";
import { Sheet } from "../../parts/Sheet";
import { Empty, Failed, Waiting } from "../../parts/States";
import classes from "./Chat.module.css";
import { reopen, reopened } from "./reopened";
import { begin, nextId, useTalk } from "./store";

type Kept = Shape<"KeptShape">;

/** Chats that were kept, to be opened again: of one conversation only its last. */
export function Earlier() {
  const navigate = useNavigate();
  const [search, setSearch] = useState("");
  const [text] = useDebouncedValue(search.trim(), 300);
  const pages = useInfiniteQuery({
    queryKey: ["history", "list", text],
    queryFn: ({ pageParam, signal }) => {
      const query = { limit: 30, ...(text && { text }), ...(pageParam && { before: pageParam }) };
      return told(api.GET("/api/byok/history", { params: { query }, signal }));
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.next ?? undefined,
    staleTime: 0,
  });
  const entries = withoutBeginnings(pages.data?.pages.flatMap((page) => page.entries) ?? []);
  return (
    <Sheet title="Earlier chats" back="/chat">
      <TextInput
        label="Search in what was said"
        value={search}
        onChange={(event) => setSearch(event.currentTarget.value)}
        mb="md"
      />
      {pages.isPending && <Waiting rows={6} height={40} />}
      {pages.isError && <Failed error={pages.error} compact retry={() => void pages.refetch()} />}
      {pages.isSuccess && entries.length === 0 && (
        <Empty title={text ? "Nothing found" : "No chats yet"}>
          {text ? "Nobody said that in a chat that is kept." : "What you ask from now on stands here."}
        </Empty>
      )}
      <Stack component="ul" className={classes.list} gap={4}>
        {entries.map((kept) => (
          <li key={kept.id}>
            <UnstyledButton className={classes.choice} onClick={() => navigate(`/chat/${kept.id}`)}>
              <span>
                <Text span display="block" lineClamp={2}>
                  {titleOf(kept)}
                </Text>
                <Text span size="xs" className="quiet">
                  {kept.entry?.asked} · <When ms={kept.at_ms} />
                </Text>
              </span>
              <Text span size="sm" className="quiet">
                {kept.cost_nano !== null && <Money nanoUsd={kept.cost_nano} />}
              </Text>
            </UnstyledButton>
          </li>
        ))}
      </Stack>
      {pages.hasNextPage && (
        <Button mt="md" variant="default" loading={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
          Show older
        </Button>
      )}
    </Sheet>
  );
}

/** Opens a kept chat in the place of the conversation, once: a new one may begin before the address has changed. What
 * to say about it; null where it was opened. */
export function useReopened(entry: string): string | null {
  const talk = useTalk();
  const [opened, setOpened] = useState<string | null>(null);
  const here = talk.entry === entry || opened === entry;
  const found = useQuery({
    queryKey: ["history", "one", entry],
    queryFn: () => told(api.GET("/api/byok/history/{entry}", { params: { path: { entry } } })),
    enabled: !here && entry !== "",
    retry: false,
    gcTime: 0,
  });
  const kept = found.data;
  useEffect(() => {
    if (here) setOpened(entry);
  }, [here, entry]);
  useEffect(() => {
    if (!kept?.entry || here) return;
    const { turns, settings, model } = reopened(kept.entry, kept, nextId);
    begin({ turns, settings, entry, lanes: [{ id: "a", model }] });
  }, [kept, here, entry]);
  if (found.isError) return `This chat cannot be opened: ${asProblem(found.error).said}`;
  if (kept && !kept.entry) return "This chat could not be kept when it was held.";
  return found.isFetching ? "Opening the chat…" : null;
}

function titleOf(kept: Kept): string {
  if (!kept.entry) return "Could not be kept";
  const first = kept.entry.messages.find((said) => said.role === "user");
  return (
    first?.pieces
      .map((piece) => piece.text ?? "")
      .join(" ")
      .trim() || "(a picture or file)"
  );
}

/** Each request is kept with all that went before: the earlier ones of a conversation are its beginnings. */
function withoutBeginnings(all: readonly Kept[]): readonly Kept[] {
  const said = (kept: Kept) => kept.entry?.messages.map((one) => reopen.text(one.pieces)) ?? [];
  return all.filter((kept, at) => {
    const mine = said(kept);
    return !all.slice(0, at).some((newer) => {
      const its = said(newer);
      return its.length > mine.length && mine.every((text, place) => text === its[place]);
    });
  });
}
