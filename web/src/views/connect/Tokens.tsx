import { Button, Table, Text, Title } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, type Shape, told } from "../../api/client";
import { Ask } from "../../parts/Ask";
import { When } from "../../parts/Figures";
import { useSay } from "../../parts/Said";
import { State } from "../../parts/State";
import { Answered, Empty } from "../../parts/States";

type Token = Shape<"TokenShape">;

/** One's tokens, and their end. */
export function Tokens() {
  const tokens = useQuery({ queryKey: ["tokens"], queryFn: () => told(api.GET("/api/byok/tokens")) });
  const [ending, setEnding] = useState<Token | null>(null);
  const queries = useQueryClient();
  const say = useSay();
  return (
    <section className="card" aria-labelledby="tokens">
      <Title order={2} id="tokens" mb="sm">
        Tokens
      </Title>
      <Answered query={tokens}>
        {({ tokens: found }) =>
          found.length === 0 ? (
            <Empty title="No token yet">Each program gets its own, so that one can be ended without the others.</Empty>
          ) : (
            <Table verticalSpacing={8}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th scope="col">Name</Table.Th>
                  <Table.Th scope="col" visibleFrom="sm">
                    Made
                  </Table.Th>
                  <Table.Th scope="col">State</Table.Th>
                  <Table.Th scope="col">
                    <span className="hidden">What to do</span>
                  </Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {found.map((token) => (
                  <Table.Tr key={token.id}>
                    <Table.Th scope="row" fw={400} style={{ overflowWrap: "anywhere" }}>
                      {token.name}
                      <Text size="xs" className="quiet">
                        {token.shown}
                        {token.models.length > 0 && ` · only ${token.models.join(", ")}`}
                      </Text>
                    </Table.Th>
                    <Table.Td visibleFrom="sm">
                      <When ms={token.created_at_ms} />
                    </Table.Td>
                    <Table.Td>
                      <Standing token={token} />
                    </Table.Td>
                    <Table.Td ta="right">
                      {token.revoked_at_ms === null && (
                        <Button
                          size="compact-sm"
                          variant="subtle"
                          color="red"
                          onClick={() => setEnding(token)}
                          aria-label={`Revoke ${token.name}`}
                        >
                          Revoke
                        </Button>
                      )}
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          )
        }
      </Answered>
      {ending && (
        <Ask
          title={`Revoke “${ending.name}”?`}
          verb="Revoke"
          danger
          close={() => setEnding(null)}
          act={async () => {
            await api.DELETE("/api/byok/tokens/{token}", { params: { path: { token: ending.id } } });
            say(`“${ending.name}” opens nothing any more.`);
            await queries.invalidateQueries({ queryKey: ["tokens"] });
          }}
        >
          Whatever uses it is refused within a second. This cannot be undone.
        </Ask>
      )}
    </section>
  );
}

function Standing({ token }: { token: Token }) {
  if (token.revoked_at_ms !== null) return <State tone="quiet">revoked</State>;
  if (token.expires_at_ms !== null && token.expires_at_ms <= Date.now()) return <State tone="quiet">over</State>;
  return <State tone="good">good</State>;
}
