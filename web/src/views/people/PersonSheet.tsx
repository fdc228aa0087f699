import { Button, Group, NativeSelect, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useParams } from "react-router";
import { api, told } from "../../api/client";
import { usePerson } from "../../app/session";
import { Ask } from "../../parts/Ask";
import { useSay } from "../../parts/Said";
import { Sheet } from "../../parts/Sheet";
import { Answered, Empty, Failed } from "../../parts/States";
import { Grants } from "./Grants";
import { Invitation } from "./NewPerson";
import { ROLES, Standing, type User, usePeople } from "./People";

/** One person: role, state, invitation, the shared keys they may use; and their removal. */
export function PersonSheet() {
  const { user: id } = useParams();
  const people = usePeople();
  const found = people.data?.users.find((user) => user.id === id);
  return (
    <Sheet title={found?.name ?? "Person"} back="/people">
      <Answered query={people}>
        {() =>
          found ? <Shown user={found} /> : <Empty title="There is no such person">They may have been removed.</Empty>
        }
      </Answered>
    </Sheet>
  );
}

function Shown({ user }: { user: User }) {
  const queries = useQueryClient();
  const say = useSay();
  const navigate = useNavigate();
  const own = usePerson().id === user.id;
  const [removing, setRemoving] = useState(false);
  const path = { params: { path: { user: user.id } } };
  const renew = () => queries.invalidateQueries({ queryKey: ["people"] });
  const changing = useMutation({
    mutationFn: (body: { role?: User["role"]; status?: "active" | "suspended" }) =>
      told(api.PATCH("/api/byok/users/{user}", { ...path, body })),
    onSuccess: async (changed) => {
      say(`${changed.name} is ${ROLES[changed.role].toLowerCase()}, ${changed.status}.`);
      await renew();
    },
  });
  const inviting = useMutation({ mutationFn: () => told(api.POST("/api/byok/users/{user}/invitation", path)) });
  return (
    <Stack>
      <div>
        <Text style={{ overflowWrap: "anywhere" }}>{user.email}</Text>
        <Standing user={user} />
      </div>
      <NativeSelect
        label="Role"
        value={(changing.isPending && changing.variables.role) || user.role}
        disabled={own || changing.isPending}
        onChange={(event) => changing.mutate({ role: event.currentTarget.value as User["role"] })}
        data={Object.entries(ROLES).map(([value, label]) => ({ value, label }))}
      />
      {(changing.isError || inviting.isError) && <Failed error={changing.error ?? inviting.error} compact />}
      <Group gap="xs">
        <Button variant="default" loading={inviting.isPending} onClick={() => inviting.mutate()}>
          New invitation
        </Button>
        {!own && (
          <Button
            variant="default"
            loading={changing.isPending}
            onClick={() => changing.mutate({ status: user.status === "suspended" ? "active" : "suspended" })}
          >
            {user.status === "suspended" ? "Let in again" : "Suspend"}
          </Button>
        )}
      </Group>
      {inviting.data && <Invitation name={user.name} invitation={inviting.data.invitation} />}
      <Grants user={user} />
      {!own && (
        <>
          <Title order={2}>Remove</Title>
          <Text className="quiet">
            Their keys, tokens, automations and history go with them. What they spent stays in the book.
          </Text>
          <Button color="red" variant="light" onClick={() => setRemoving(true)} w="fit-content">
            Remove {user.name}
          </Button>
        </>
      )}
      {removing && (
        <Ask
          title={`Remove ${user.name}?`}
          verb="Remove"
          danger
          close={() => setRemoving(false)}
          act={async () => {
            await api.DELETE("/api/byok/users/{user}", path);
            say(`${user.name} was removed.`);
            await renew();
            await navigate("/people");
          }}
        >
          Their keys and tokens are good no more from this moment. This cannot be undone.
        </Ask>
      )}
    </Stack>
  );
}
