import { Button, Checkbox, Stack } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { api, told } from "../../api/client";
import { RunList } from "../../parts/RunList";
import { Empty, Failed, Waiting } from "../../parts/States";
import type { Filters } from "./filters";

const PAGE = 50;

/** Each run, the newest first, more as they are wanted. */
export function Runs({ filters }: { filters: Filters }) {
  const failed = filters.failed || undefined;
  const runs = useInfiniteQuery({
    queryKey: ["runs", filters.query, failed],
    queryFn: ({ pageParam }) =>
      told(
        api.GET("/api/byok/usage/runs", {
          params: { query: { ...filters.query, failed, limit: PAGE, before: pageParam ?? undefined } },
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });
  const found = runs.data?.pages.flatMap((page) => page.runs) ?? [];
  return (
    <Stack>
      <Checkbox
        label="Only those with a try that failed"
        checked={filters.failed}
        onChange={(event) => filters.set({ failed: event.currentTarget.checked ? "1" : null })}
      />
      {runs.isError && <Failed error={runs.error} retry={() => void runs.refetch()} />}
      {runs.isPending && <Waiting rows={8} />}
      {runs.data && found.length === 0 && (
        <Empty title="No run is like that">Take a filter away, or look further back.</Empty>
      )}
      {found.length > 0 && (
        <div className="card">
          <RunList runs={found} search={filters.search} />
        </div>
      )}
      {runs.hasNextPage && (
        <Button variant="default" onClick={() => void runs.fetchNextPage()} loading={runs.isFetchingNextPage} mx="auto">
          Show more
        </Button>
      )}
    </Stack>
  );
}
