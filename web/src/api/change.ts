import { type QueryKey, useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef } from "react";

/** Changes of what a query found: seen at once, kept one after the other, and taken back where the server refuses. */
export function useChange<Found extends object>(
  key: QueryKey,
  keep: (changes: Partial<Found>) => Promise<Found>,
  kept?: () => void,
) {
  const queries = useQueryClient();
  const held = useRef<Found>(undefined);
  const isLast = () => queries.isMutating({ mutationKey: key, exact: true }) === 1;
  return useMutation({
    mutationKey: key,
    scope: { id: key.join(" ") },
    mutationFn: keep,
    onMutate: async (changes) => {
      await queries.cancelQueries({ queryKey: key, exact: true });
      if (isLast()) held.current = queries.getQueryData<Found>(key);
      queries.setQueryData<Found>(key, (shown) => shown && { ...shown, ...changes });
    },
    onSuccess: (now) => {
      held.current = now;
      if (isLast()) queries.setQueryData(key, now);
      kept?.();
    },
    onError: () => {
      if (isLast()) queries.setQueryData(key, held.current);
    },
  });
}
