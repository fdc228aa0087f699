import { useQuery } from "@tanstack/react-query";
import { api, told } from "../../api/client";
import { useKeeper, usePerson } from "../../app/session";
import type { Group } from "./filters";

/** What an id is called, where that is known. */
export type Names = (group: Group, id: string) => string;

const NOTHING: Partial<Record<Group, string>> = {
  automation: "Without automation",
  token_id: "Not by a token",
  key_id: "Without a key",
};

/** People, tokens and automations by their names rather than their ids. */
export function useNames(): Names {
  const keeper = useKeeper();
  const person = usePerson();
  const tokens = useQuery({ queryKey: ["tokens"], queryFn: () => told(api.GET("/api/byok/tokens")) });
  const people = useQuery({
    queryKey: ["people"],
    queryFn: () => told(api.GET("/api/byok/users")),
    enabled: keeper,
  });
  const known = new Map<string, string>([[person.id, person.name]]);
  for (const token of tokens.data?.tokens ?? []) known.set(token.id, token.name);
  for (const user of people.data?.users ?? []) known.set(user.id, user.name);
  return (group, id) => {
    if (id === "") return NOTHING[group] ?? "None";
    return known.get(id) ?? id;
  };
}
