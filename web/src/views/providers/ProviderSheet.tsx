import { Button, Group, Stack, Text } from "@mantine/core";
import { useLocation } from "react-router";
import { useKeeper } from "../../app/session";
import { When } from "../../parts/Figures";
import { Sheet } from "../../parts/Sheet";
import { State } from "../../parts/State";
import { Answered, Empty } from "../../parts/States";
import { Cost } from "./Card";
import { HOME, type Key, type Provider, standing, useGallery, useProviders } from "./data";
import { FromGallery } from "./FromGallery";
import { ItsModels } from "./ItsModels";
import { hostOf } from "./KeyForm";
import { KeyList } from "./KeyList";
import { OwnFile } from "./OwnFile";
import { Settings } from "./Settings";
import { TestButton, TestSaid, useTest } from "./Test";
import { testProvider } from "./tested";

/** One provider: how it stands, its keys, its models, and what is set for it. */
export default function ProviderSheet({
  id,
  provider,
  keys,
}: {
  id: string;
  provider: Provider | undefined;
  keys: readonly Key[];
}) {
  const { search } = useLocation();
  return (
    <Sheet title={provider?.name ?? id} back={HOME + search}>
      {provider ? <Shown provider={provider} keys={keys} /> : <Offered id={id} />}
    </Sheet>
  );
}

function Shown({ provider, keys }: { provider: Provider; keys: readonly Key[] }) {
  const keeper = useKeeper();
  const others = useProviders().data?.providers ?? [];
  return (
    <Stack gap="lg">
      <Standing provider={provider} keys={keys} />
      <KeyList provider={provider} keys={keys} others={others} />
      {(keys.length > 0 || provider.kind !== "cloud") && <ItsModels provider={provider} />}
      {keeper && <Settings key={JSON.stringify(provider.fields)} provider={provider} keys={keys} />}
      {keeper && provider.own && <OwnFile provider={provider} />}
    </Stack>
  );
}

/** Where the words of the server say more than the state's own. */
const TOLD = new Set<Provider["state"]>(["wanting", "refused", "resting", "failing", "expired", "paused"]);

function Standing({ provider, keys }: { provider: Provider; keys: readonly Key[] }) {
  const testing = useTest(() => testProvider(provider.id));
  const [tone, word] = standing(provider);
  const asked = provider.enabled && (keys.length > 0 || provider.kind !== "cloud");
  return (
    <div>
      <Group justify="space-between" gap="xs">
        <State tone={tone}>{word}</State>
        <Group gap="sm">
          <Text size="sm">
            <Cost provider={provider} />
          </Text>
          {asked && <TestButton testing={testing} of={provider.name} />}
        </Group>
      </Group>
      <Text size="sm" className="quiet" style={{ overflowWrap: "anywhere" }}>
        {TOLD.has(provider.state) && `${provider.says} `}
        {provider.since_ms !== null && (
          <>
            Since <When ms={provider.since_ms} />.{" "}
          </>
        )}
        {provider.until_ms !== null && (
          <>
            Until <When ms={provider.until_ms} />.{" "}
          </>
        )}
        {provider.endpoint}
      </Text>
      <TestSaid testing={testing} asking={hostOf(provider)} />
    </div>
  );
}

/** One that waits in the gallery, or that there is not. */
function Offered({ id }: { id: string }) {
  const gallery = useGallery();
  return (
    <Answered query={gallery}>
      {(found) => {
        const one = found.find((offer) => offer.id === id);
        if (one) return <FromGallery offer={one} />;
        return (
          <Empty
            title="There is no such provider"
            action={
              <Button component="a" href={`${HOME}/add`} variant="default">
                See the gallery
              </Button>
            }
          >
            It may have been removed, or the address was not copied whole.
          </Empty>
        );
      }}
    </Answered>
  );
}
