import { Button, NativeSelect, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, told } from "../../api/client";
import { Secret } from "../../parts/Secret";
import { Sheet } from "../../parts/Sheet";
import { Failed } from "../../parts/States";
import { ROLES, type User } from "./People";

/** Somebody new: they choose their password by the invitation. */
export function NewPerson() {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<User["role"]>("member");
  const adding = useMutation({
    mutationFn: () => told(api.POST("/api/byok/users", { body: { name, email, role } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["people"] }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    adding.mutate();
  };
  return (
    <Sheet title="Invite someone" back="/people">
      {adding.data ? (
        <Invitation name={adding.data.user.name} invitation={adding.data.invitation} />
      ) : (
        <form onSubmit={submit}>
          <Stack>
            <TextInput
              label="Name"
              required
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              data-autofocus
            />
            <TextInput
              label="E-mail"
              type="email"
              required
              value={email}
              onChange={(event) => setEmail(event.currentTarget.value)}
            />
            <NativeSelect
              label="Role"
              description={WHAT[role]}
              value={role}
              onChange={(event) => setRole(event.currentTarget.value as User["role"])}
              data={Object.entries(ROLES).map(([value, label]) => ({ value, label }))}
            />
            {adding.isError && <Failed error={adding.error} compact />}
            <Button type="submit" loading={adding.isPending}>
              Make an invitation
            </Button>
          </Stack>
        </form>
      )}
    </Sheet>
  );
}

const WHAT: Record<User["role"], string> = {
  owner: "Does everything, and makes other owners.",
  admin: "Keeps people, providers and limits.",
  member: "Uses models with keys and limits of their own.",
  viewer: "Sees what was used, and changes nothing.",
};

/** A link that is shown once. */
export function Invitation({ name, invitation }: { name: string; invitation: string }) {
  return (
    <Stack>
      <Text>Send this link to {name}. It is good once, for a week, and is not shown again.</Text>
      <Secret label="Invitation" value={`${window.location.origin}/sign-in#invitation=${invitation}`} focused />
    </Stack>
  );
}
