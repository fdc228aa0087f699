import { type QueryKey, useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";

/**
 * Changes of what a query found: seen at once, kept one after the other, and taken back where the server refuses.
 *
 * `keep` is given what changes, and the whole as the server would have it then. `refused` is why one of the last
 * changes was not kept, until something is changed anew.
 */
export function useChange<Found extends object>(
  key: QueryKey,
  keep: (changes: Partial<Found>, whole: Found) => Promise<Found>,
  kept?: () => void,
) {
  const queries = useQueryClient();
  const held = useRef<Found>(undefined);
  const [refused, setRefused] = useState<Error | null>(null);
  const isLast = () => queries.isMutating({ mutationKey: key, exact: true }) === 1;
  const { mutate } = useMutation({
    mutationKey: key,
    scope: { id: key.join(" ") },
    mutationFn: (changes: Partial<Found>) => keep(changes, { ...(held.current as Found), ...changes }),
    onMutate: async (changes) => {
      await queries.cancelQueries({ queryKey: key, exact: true });
      if (isLast()) {
        held.current = queries.getQueryData<Found>(key);
        setRefused(null);
      }
      queries.setQueryData<Found>(key, (shown) => shown && { ...shown, ...changes });
    },
    onSuccess: (now) => {
      held.current = now;
      if (isLast()) queries.setQueryData(key, now);
      kept?.();
    },
    onError: (error) => {
      setRefused(error);
      if (isLast()) queries.setQueryData(key, held.current);
    },
  });
  return { change: mutate, refused };
}
