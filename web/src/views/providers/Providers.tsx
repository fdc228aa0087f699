import { Alert, Button, Tabs, Text } from "@mantine/core";
import { IconAlertTriangle, IconPlus } from "@tabler/icons-react";
import { lazy, Suspense } from "react";
import { Link, Route, Routes, useParams, useSearchParams } from "react-router";
import { useKeeper } from "../../app/session";
import { PageHead } from "../../parts/PageHead";
import { Answered, Empty, Waiting } from "../../parts/States";
import { Cards } from "./Cards";
import { HOME, isInUse, isLocal, type Key, type Provider, useKeys, useProviders } from "./data";

const AddSheet = lazy(() => import("./AddSheet"));
const ProviderSheet = lazy(() => import("./ProviderSheet"));

/** Who can be asked, with which keys, and at what cost. */
export default function Providers() {
  const providers = useProviders();
  const keys = useKeys();
  const [search] = useSearchParams();
  const add = (
    <Button component={Link} to={`${HOME}/add`} leftSection={<IconPlus size={16} aria-hidden />}>
      Add provider
    </Button>
  );
  return (
    <>
      <PageHead
        title="Providers"
        says="Keys are encrypted here, and go only to the provider that they are for."
        action={add}
      />
      <Answered query={providers} waiting={<Waiting rows={4} height={110} />}>
        {(found) => (
          <Answered query={keys} waiting={<Waiting rows={4} height={110} />}>
            {(own) => (
              <>
                <Problems problems={found.problems} />
                <Kinds providers={found.providers} keys={own} wanted={search.get("kind")} />
                <Suspense fallback={null}>
                  <Routes>
                    <Route path="add" element={<AddSheet providers={found.providers} />} />
                    <Route path=":provider" element={<One providers={found.providers} keys={own} />} />
                  </Routes>
                </Suspense>
              </>
            )}
          </Answered>
        )}
      </Answered>
    </>
  );
}

function One({ providers, keys }: { providers: readonly Provider[]; keys: readonly Key[] }) {
  const { provider: id } = useParams();
  return (
    <ProviderSheet
      key={id}
      id={id ?? ""}
      provider={providers.find((one) => one.id === id)}
      keys={keys.filter((key) => key.provider === id)}
    />
  );
}

function Problems({ problems }: { problems: readonly string[] }) {
  if (problems.length === 0) return null;
  return (
    <Alert color="yellow" icon={<IconAlertTriangle aria-hidden />} title="A file could not be read" mb="md">
      {problems.map((problem) => (
        <Text key={problem} size="sm" style={{ overflowWrap: "anywhere" }}>
          {problem}
        </Text>
      ))}
    </Alert>
  );
}

function Kinds({
  providers,
  keys,
  wanted,
}: {
  providers: readonly Provider[];
  keys: readonly Key[];
  wanted: string | null;
}) {
  const [, setSearch] = useSearchParams();
  const used = providers.filter(isInUse);
  const cloud = used.filter((one) => !isLocal(one));
  const local = used.filter(isLocal);
  const kind =
    wanted === "local" || (wanted === null && cloud.length === 0 && local.some((one) => one.kind === "local"))
      ? "local"
      : "cloud";
  const choose = (next: string | null) => setSearch(next === "local" ? { kind: "local" } : { kind: "cloud" });
  return (
    <Tabs value={kind} onChange={choose} keepMounted={false}>
      <Tabs.List mb="md">
        <Tabs.Tab value="cloud">Cloud ({cloud.length})</Tabs.Tab>
        <Tabs.Tab value="local">Local ({local.length})</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="cloud">
        {cloud.length > 0 ? <Cards shown={cloud} all={providers} keys={keys} /> : <NoCloud />}
      </Tabs.Panel>
      <Tabs.Panel value="local">
        {local.length > 0 ? <Cards shown={local} all={providers} keys={keys} /> : <NoLocal />}
      </Tabs.Panel>
    </Tabs>
  );
}

function NoCloud() {
  return (
    <Empty
      title="No key yet"
      action={
        <Button component={Link} to={`${HOME}/add`} variant="default">
          Choose a provider
        </Button>
      }
    >
      Add the key of one provider, and its models can be asked here, from your programs and by automations. You see what
      each run costs before it is made.
    </Empty>
  );
}

function NoLocal() {
  const keeper = useKeeper();
  return (
    <Empty
      title="Nothing runs on this machine yet"
      action={
        keeper && (
          <Button component={Link} to={`${HOME}/add`} variant="default">
            Look for local models
          </Button>
        )
      }
    >
      A model that runs here costs nothing, and what you ask it stays on this machine.
    </Empty>
  );
}
