import { Anchor, Box, Button, Group, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { api, told } from "../../api/client";
import { usePerson } from "../../app/session";
import { PageHead } from "../../parts/PageHead";
import { State } from "../../parts/State";
import { Answered, Empty, Waiting } from "../../parts/States";
import { Consents } from "./Consents";
import { useKnown } from "./known";
import { RoutePage } from "./RoutePage";
import { Switching } from "./Switching";
import { WaitingPanel } from "./WaitingPanel";
import { chooses, type Route, STATES } from "./words";

/** Whom a name stands for, and what waits for a yes. */
export default function Routes() {
  const wanted = useParams()["*"] ?? "";
  const routes = useQuery({ queryKey: ["routes", "list"], queryFn: () => told(api.GET("/api/byok/routes")) });
  return (
    <Answered query={routes} waiting={<Waiting rows={4} height={72} />}>
      {({ routes: all }) => {
        if (wanted === "") return <List routes={all} />;
        const found = all.find((one) => one.name === wanted) ?? null;
        if (found === null && wanted !== "new") {
          return (
            <Empty title="There is no such route" action={<Link to="/routes">See all routes</Link>}>
              It may have been removed, or the address was not copied whole.
            </Empty>
          );
        }
        return <RoutePage key={wanted} route={found} />;
      }}
    </Answered>
  );
}

function List({ routes }: { routes: readonly Route[] }) {
  const viewer = usePerson().role === "viewer";
  const made = routes.filter((one) => one.whose !== "ownkey");
  const there = routes.filter((one) => one.whose === "ownkey");
  const add = viewer ? null : (
    <Button component={Link} to="/routes/new" leftSection={<IconPlus size={16} aria-hidden />}>
      Add route
    </Button>
  );
  return (
    <>
      <PageHead
        title="Routes"
        says="A route is a name that is asked for like a model. Behind it stand several, and who steps in where one fails."
        action={add}
      />
      <WaitingPanel />
      {made.length === 0 ? (
        <Empty title="You have made no route yet" action={add}>
          Put a cheap model first and a sure one behind it, or keep what you ask on your own machine. Meanwhile{" "}
          <code>auto</code> asks the first provider that can.
        </Empty>
      ) : (
        <Stack gap="sm" component="section" aria-label="Your routes">
          {made.map((one) => (
            <Card key={`${one.whose}/${one.name}`} route={one} />
          ))}
        </Stack>
      )}
      <Title order={2} mt={40} mb="xs">
        Always there
      </Title>
      <SimpleGrid
        cols={{ base: 1, sm: 2, lg: 3 }}
        spacing="xs"
        component="section"
        aria-label="Routes that are always there"
      >
        {there.map((one) => (
          <Box key={one.name} className="card" py="xs">
            <Anchor component={Link} to={`/routes/${encodeURIComponent(one.name)}`} fw={600}>
              {one.name}
            </Anchor>
            <Text size="sm" className="quiet">
              {one.local_only ? "Only what runs on your own machine or network" : chooses(one)}
            </Text>
          </Box>
        ))}
      </SimpleGrid>
      <Switching />
      <Consents />
    </>
  );
}

function Card({ route }: { route: Route }) {
  const known = useKnown();
  return (
    <Box className="card" component="article" aria-label={route.name}>
      <Group justify="space-between" align="baseline" gap="xs">
        <Title order={2} style={{ overflowWrap: "anywhere" }}>
          <Anchor component={Link} to={`/routes/${encodeURIComponent(route.name)}`} c="inherit" fw={600}>
            {route.name}
          </Anchor>
        </Title>
        <Text size="sm" className="quiet">
          {chooses(route)}
          {!route.fallback && " · nobody else steps in"}
          {route.ask && " · asks before another provider"}
          {route.local_only && " · local only"}
          {route.whose === "everybody" && " · everybody's"}
        </Text>
      </Group>
      <Group component="ol" gap="xs" mt="xs" p={0} m={0} style={{ listStyle: "none" }}>
        {route.targets.slice(0, 6).map((target) => {
          const { state } = known.of(target);
          return (
            <Group key={target} component="li" gap={6} wrap="nowrap">
              <Text size="sm" style={{ overflowWrap: "anywhere" }}>
                {target}
              </Text>
              {state && <State tone={STATES[state].tone}>{STATES[state].word}</State>}
            </Group>
          );
        })}
        {route.targets.length > 6 && (
          <Text component="li" size="sm" className="quiet">
            and {route.targets.length - 6} more
          </Text>
        )}
      </Group>
    </Box>
  );
}
