import { Alert, Button, Group, Paper, Text } from "@mantine/core";
import { IconRefresh } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useMemo } from "react";
import { Link, Route, Routes } from "react-router";
import { api, type Shape, told } from "../../api/client";
import { MODELS, type Model, makeDefault, useDefaultModel, useModels } from "../../api/models";
import { asProblem } from "../../api/problem";
import { besideButton } from "../../api/words";
import { usePerson } from "../../app/session";
import { PageHead } from "../../parts/PageHead";
import { useSay } from "../../parts/Said";
import { Answered, Empty, Waiting } from "../../parts/States";
import { Filters } from "./Filters";
import classes from "./Models.module.css";
import { Table } from "./Table";
import { comparing, useFound, useWanted } from "./wanted";

const Compare = lazy(() => import("./Compare"));

export default function Models() {
  return (
    <Suspense fallback={<Waiting rows={8} />}>
      <Routes>
        <Route index element={<Listed />} />
        <Route path="compare" element={<Compare />} />
      </Routes>
    </Suspense>
  );
}

/** Every model that is known: what it does and what it costs. */
function Listed() {
  const models = useModels();
  const refreshing = useRefresh();
  const viewer = usePerson().role === "viewer";
  return (
    <>
      <PageHead
        title="Models"
        says="Prices are in dollars per million tokens, in and out."
        action={
          !viewer && (
            <Button
              leftSection={<IconRefresh size={16} aria-hidden />}
              loading={refreshing.isPending}
              onClick={() => refreshing.mutate()}
            >
              Refresh models
            </Button>
          )
        }
      />
      <div role="status">{refreshing.data && <Refreshed found={refreshing.data} names={models.data ?? []} />}</div>
      {refreshing.isError && (
        <Alert color="red" role="alert" mb="sm">
          {asProblem(refreshing.error).said}
        </Alert>
      )}
      <Answered query={models} waiting={<Waiting rows={10} height={44} />}>
        {(all) => (all.length === 0 ? <None /> : <Found all={all} />)}
      </Answered>
    </>
  );
}

function Found({ all }: { all: readonly Model[] }) {
  const models = useMemo(() => all.filter((one) => !one.retired), [all]);
  const [wanted, change] = useWanted();
  const found = useFound(models, wanted);
  const chosen = useDefaultModel();
  const use = useChoice();
  return (
    <>
      <Filters models={models} wanted={wanted} change={change} />
      <Text role="status" size="sm" className="quiet" mb={6}>
        {found.length === models.length
          ? `${models.length.toLocaleString("en-US")} models`
          : `${found.length.toLocaleString("en-US")} of ${models.length.toLocaleString("en-US")} models`}
      </Text>
      {found.length === 0 ? (
        <Empty
          title="No model is like that"
          action={
            <Button
              variant="default"
              onClick={() => change({ q: "", does: [], provider: null, free: false, ready: false })}
            >
              Show all models
            </Button>
          }
        >
          Take a filter away, or search for another name.
        </Empty>
      ) : (
        <Table models={found} wanted={wanted} change={change} chosen={chosen.data ?? null} use={use} />
      )}
      {wanted.compared.length > 0 && (
        <Paper withBorder shadow="sm" p="xs" className={classes.bar}>
          <Group justify="space-between" gap="xs">
            <Text size="sm">{wanted.compared.length} of 4 to compare</Text>
            <Group gap="xs">
              <Button size="xs" variant="default" onClick={() => change({ compared: [] })}>
                Clear
              </Button>
              <Button size="xs" component={Link} to={comparing(wanted.compared)}>
                Compare
              </Button>
            </Group>
          </Group>
        </Paper>
      )}
    </>
  );
}

/** Sets the default, which can be taken back. */
export function useChoice(): (model: Model) => void {
  const queries = useQueryClient();
  const say = useSay();
  const before = useDefaultModel().data ?? null;
  const choose = async (target: string, undo: boolean) => {
    try {
      await makeDefault(queries, target);
      const back = before !== null && undo ? { undo: () => void choose(before, false) } : {};
      say({ text: `${target} is your default from now on.`, ...back });
    } catch (error) {
      say(`Your default is as it was. ${asProblem(error).said}`);
    }
  };
  return (model) => void choose(model.target, true);
}

function useRefresh() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async () => (await told(api.POST("/api/byok/models/refresh", { body: { provider: null } }))).providers,
    onSuccess: () => queries.invalidateQueries({ queryKey: MODELS }),
  });
}

/** What came of asking each provider. */
function Refreshed({ found, names }: { found: readonly Shape<"RefreshedShape">[]; names: readonly Model[] }) {
  const nameOf = (id: string) => names.find((one) => one.provider === id)?.providerName ?? id;
  const failed = found.filter((one) => one.error !== null);
  const asked = found.filter((one) => one.asked && one.error === null);
  const just = found.filter((one) => !one.asked);
  const says = [
    asked.length > 0 && `${asked.map((one) => `${nameOf(one.provider)} (${one.models})`).join(", ")} answered.`,
    just.length > 0 && `${just.map((one) => nameOf(one.provider)).join(", ")}: asked less than half a minute ago.`,
    found.length === 0 && "No provider can be asked yet.",
  ].filter(Boolean);
  return (
    <Alert color={failed.length > 0 ? "red" : "gray"} variant="light" mb="sm">
      <Text size="sm">{says.join(" ")}</Text>
      {failed.map((one) => (
        <Text size="sm" key={one.provider}>
          <strong>{nameOf(one.provider)}</strong>: {one.error} {besideButton(one.hint)}{" "}
          <Link to={`/settings/byok/${encodeURIComponent(one.provider)}`}>Open {nameOf(one.provider)}</Link>
        </Text>
      ))}
    </Alert>
  );
}

function None() {
  return (
    <Empty
      title="No models yet"
      action={
        <Button component={Link} to="/settings/byok/add">
          Add provider
        </Button>
      }
    >
      Once a provider is there, its models stand here with their prices.
    </Empty>
  );
}
