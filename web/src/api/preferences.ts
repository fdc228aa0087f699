import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useChange } from "./change";
import { api, type Shape, told } from "./client";

export type Preferences = Shape<"PreferencesShape">;

const KEY = ["preferences"];

const keep = (body: Partial<Preferences>) => told(api.PATCH("/api/byok/preferences", { body }));

/** What the one who is signed in wants by themselves. */
export function usePreferences() {
  return useQuery({ queryKey: KEY, queryFn: () => told(api.GET("/api/byok/preferences")) });
}

export function usePreferring(kept?: () => void) {
  return useChange<Preferences>(KEY, keep, kept);
}

/** As `usePreferring`, for who goes on only when it is kept. */
export function usePrefer(kept: () => void) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: keep,
    onSuccess: (now) => {
      queries.setQueryData(KEY, now);
      kept();
    },
  });
}
