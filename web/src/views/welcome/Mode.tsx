import { Button, Select, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { IconCloud, IconDeviceDesktop } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, type Shape, told } from "../../api/client";
import { PageHead } from "../../parts/PageHead";
import { State } from "../../parts/State";
import { Answered, Failed } from "../../parts/States";
import { addFromGallery, useLocal } from "../providers/data";
import { Foot } from "./Foot";
import type { Frame } from "./Welcome";
import classes from "./Welcome.module.css";

type Server = Shape<"LocalShape">;

export function Mode({ go, back, busy }: Frame) {
  const queries = useQueryClient();
  const local = useLocal();
  const taking = useMutation({
    mutationFn: async (server: Server) => {
      if (!server.added) await addFromGallery(queries, server.provider);
      await told(api.POST("/api/byok/models/refresh", { body: { provider: server.provider } }));
      go("agreement", { mode: "local" });
    },
  });
  return (
    <>
      <PageHead title="Cloud or local?" says="Where your models run. You can have both, and change it at any time." />
      <SimpleGrid cols={{ base: 1, sm: 2 }}>
        <section className={`card ${classes.choice}`} aria-labelledby="cloud">
          <IconCloud aria-hidden />
          <Title order={2} id="cloud">
            Cloud
          </Title>
          <Text className="quiet">
            A provider’s models, with a key of yours. The best there are; you pay the provider for each run, some have a
            free tier.
          </Text>
          <Button mt="auto" onClick={() => go("key", { mode: "cloud" })} loading={busy}>
            Use the cloud
          </Button>
        </section>
        <section className={`card ${classes.choice}`} aria-labelledby="local">
          <IconDeviceDesktop aria-hidden />
          <Title order={2} id="local">
            Local
          </Title>
          <Text className="quiet">
            Models on this machine. Free and private, as good as your machine allows. No key is needed.
          </Text>
          <Answered query={local}>
            {(found) => <Servers servers={found} take={taking.mutate} busy={taking.isPending} again={local.refetch} />}
          </Answered>
        </section>
      </SimpleGrid>
      {taking.isError && <Failed error={taking.error} compact />}
      <Foot back={back}>
        <Button variant="default" onClick={() => go()}>
          Skip
        </Button>
      </Foot>
    </>
  );
}

function Servers(props: { servers: Server[]; take: (server: Server) => void; busy: boolean; again: () => unknown }) {
  const { servers, take, busy, again } = props;
  const found = servers.filter((one) => one.state === "found");
  const [chosen, setChosen] = useState<string | null>(null);
  const byHand = servers.find((one) => one.provider === chosen);
  return (
    <Stack gap="xs" w="100%" align="flex-start">
      <div role="status">
        {found.length === 0 && <Text size="sm">Nothing was found running here.</Text>}
        {found.map((one) => (
          <Stack key={one.provider} gap={4} mb="xs">
            <State tone="good">{`${one.name} is running`}</State>
            <Text size="sm" className="quiet">
              {one.address}, {models(one.models.length)}
            </Text>
            <Button onClick={() => take(one)} loading={busy}>
              Use {one.name}
            </Button>
          </Stack>
        ))}
      </div>
      <Select
        label="Choose by hand"
        placeholder="A server of yours"
        data={servers.filter((one) => one.state !== "found").map((one) => ({ value: one.provider, label: one.name }))}
        value={chosen}
        onChange={setChosen}
        searchable
        w="100%"
      />
      {byHand && (
        <>
          <Text size="sm" className="quiet" role="status">
            {SAYS[byHand.state]} It is looked for at {byHand.address}.
          </Text>
          <Button variant="default" onClick={() => take(byHand)} loading={busy}>
            Use {byHand.name}
          </Button>
        </>
      )}
      <Button variant="subtle" size="xs" onClick={() => void again()}>
        Look again
      </Button>
    </Stack>
  );
}

const SAYS: Record<Server["state"], string> = {
  found: "It is running.",
  wants_key: "It is running, and wants a key: add one under Providers.",
  other: "Something else answers there.",
  nothing: "It does not run yet; start it before you ask.",
};

function models(count: number): string {
  return count === 1 ? "1 model" : `${count} models`;
}
