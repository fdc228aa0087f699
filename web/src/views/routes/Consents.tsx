import { Box, Button, Group, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, type Shape, told } from "../../api/client";
import { usePerson } from "../../app/session";
import { When } from "../../parts/Figures";
import { useSay } from "../../parts/Said";
import { Answered, Failed } from "../../parts/States";

type Consent = Shape<"ConsentShape">;

/** What was said yes to for a while. */
export function Consents() {
  const consents = useQuery({ queryKey: ["consents"], queryFn: () => told(api.GET("/api/byok/consents")) });
  return (
    <Box component="section" mt={40} aria-labelledby="consents">
      <Title order={2} id="consents" mb="xs">
        What you said yes to
      </Title>
      <Answered query={consents}>
        {({ consents: all }) =>
          all.length === 0 ? (
            <Text className="quiet">Nothing is remembered. You are asked each time.</Text>
          ) : (
            <Stack gap="xs">
              {all.map((one) => (
                <Remembered key={one.id} one={one} />
              ))}
            </Stack>
          )
        }
      </Answered>
    </Box>
  );
}

function Remembered({ one }: { one: Consent }) {
  const queries = useQueryClient();
  const say = useSay();
  const viewer = usePerson().role === "viewer";
  const removing = useMutation({
    mutationFn: () => api.DELETE("/api/byok/consents/{consent}", { params: { path: { consent: one.id } } }),
    onSuccess: async () => {
      say("You are asked about it again.");
      await queries.invalidateQueries({ queryKey: ["consents"] });
    },
  });
  return (
    <Box className="card" py="xs">
      <Group justify="space-between" gap="xs">
        <Box miw={0}>
          <Text style={{ overflowWrap: "anywhere" }}>{saidOf(one)}</Text>
          <Text size="sm" className="quiet">
            until <When ms={one.until_ms} />
          </Text>
        </Box>
        {!viewer && (
          <Button
            variant="default"
            size="xs"
            loading={removing.isPending}
            onClick={() => removing.mutate()}
            aria-label={`Ask again: ${saidOf(one)}`}
          >
            Ask again
          </Button>
        )}
      </Group>
      {removing.isError && <Failed error={removing.error} compact />}
    </Box>
  );
}

function saidOf(one: Consent): string {
  switch (one.kind) {
    case "switch":
      return `When ${one.source} fails, ${one.target} may be asked`;
    case "soft_cap":
      return `A run may take more than is usual in the budget ${one.target}`;
    case "price_unknown":
      return one.source
        ? `${one.target} may be asked with ${one.source}, which has no bound`
        : `${one.target} may be asked, though nobody knows its price`;
    default:
      return `${one.kind.replaceAll("_", " ")}: ${one.target}`;
  }
}
