import { Anchor, Badge, Button, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, Route, Routes } from "react-router";
import { api, type Shape, told } from "../../api/client";
import { useKeeper } from "../../app/session";
import { When } from "../../parts/Figures";
import { PageHead } from "../../parts/PageHead";
import { State } from "../../parts/State";
import { Answered, Empty } from "../../parts/States";
import { NewPerson } from "./NewPerson";
import { PersonSheet } from "./PersonSheet";

export type User = Shape<"UserShape">;

export const ROLES: Record<User["role"], string> = {
  owner: "Owner",
  admin: "Admin",
  member: "Member",
  viewer: "Viewer",
};

/** Who may use this Ownkey, and as what; each opens at `/people/…`. */
export default function People() {
  const keeper = useKeeper();
  if (!keeper) {
    return <Empty title="This is for who keeps this Ownkey">Ask an owner or an admin.</Empty>;
  }
  return (
    <>
      <PageHead
        title="People"
        says="Each has keys, tokens and limits of their own."
        action={
          <Button component={Link} to="/people/new">
            Invite someone
          </Button>
        }
      />
      <List />
      <Routes>
        <Route path="new" element={<NewPerson />} />
        <Route path=":user" element={<PersonSheet />} />
      </Routes>
    </>
  );
}

export function usePeople() {
  return useQuery({ queryKey: ["people"], queryFn: () => told(api.GET("/api/byok/users")) });
}

function List() {
  const people = usePeople();
  return (
    <Answered query={people}>
      {({ users }) => (
        <div className="card">
          <Table verticalSpacing={8} highlightOnHover>
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">Name</Table.Th>
                <Table.Th scope="col">Role</Table.Th>
                <Table.Th scope="col" visibleFrom="sm">
                  State
                </Table.Th>
                <Table.Th scope="col" visibleFrom="sm">
                  Since
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {users.map((user) => (
                <Table.Tr key={user.id}>
                  <Table.Th scope="row" fw={400} style={{ overflowWrap: "anywhere" }}>
                    <Anchor component={Link} to={`/people/${encodeURIComponent(user.id)}`} size="sm">
                      {user.name}
                    </Anchor>
                    <Text size="xs" className="quiet">
                      {user.email}
                    </Text>
                  </Table.Th>
                  <Table.Td>
                    <Badge variant="default" tt="none" fw={500}>
                      {ROLES[user.role]}
                    </Badge>
                  </Table.Td>
                  <Table.Td visibleFrom="sm">
                    <Standing user={user} />
                  </Table.Td>
                  <Table.Td visibleFrom="sm">
                    <When ms={user.created_at_ms} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
    </Answered>
  );
}

export function Standing({ user }: { user: User }) {
  if (user.status === "suspended") return <State tone="bad">suspended</State>;
  if (!user.password) return <State tone="warn">no password chosen yet</State>;
  return <State tone="good">{user.second_factor ? "active, with a second factor" : "active"}</State>;
}
