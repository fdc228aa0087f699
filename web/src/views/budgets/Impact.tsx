import { List, Paper, Text, Title } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { api, told } from "../../api/client";
import { asProblem } from "../../api/problem";
import { State } from "../../parts/State";
import type { Budget } from "./amount";
import { bodyOf, type Draft } from "./draft";

const PAUSE_MS = 350;

/** What it would have done last month and what it would refuse now, before it is saved. */
export function Impact({ draft, budget }: { draft: Draft; budget: Budget | null }) {
  const [body] = useDebouncedValue({ ...bodyOf(draft), name: budget?.id ?? "" }, PAUSE_MS);
  const preview = useQuery({
    queryKey: ["budget-preview", body],
    queryFn: () => told(api.POST("/api/byok/budget-preview", { body })),
    placeholderData: keepPreviousData,
    staleTime: 30_000,
  });
  return (
    <Paper withBorder p="sm" aria-live="polite" component="section" aria-labelledby="impact">
      <Title order={3} id="impact" mb={4}>
        What it would do
      </Title>
      {preview.data ? (
        <>
          {preview.data.refuses && <State tone="warn">It refuses every run from now on</State>}
          <List size="sm" spacing={4} listStyleType="none">
            {preview.data.says.map((one) => (
              <List.Item key={one}>{one}</List.Item>
            ))}
          </List>
        </>
      ) : (
        <Text size="sm" className="quiet">
          {preview.isError ? asProblem(preview.error).said : "Comparing it with last month…"}
        </Text>
      )}
    </Paper>
  );
}
