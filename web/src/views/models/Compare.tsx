import { ActionIcon, Anchor, Box, Button, Group, Text } from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { type Model, useDefaultModel, useModels } from "../../api/models";
import { useAddress } from "../../app/address";
import { Money } from "../../parts/Figures";
import { count, duration, tokens } from "../../parts/figures";
import { Abilities, PricePer1M } from "../../parts/ModelFacts";
import { ModelPicker } from "../../parts/ModelPicker";
import { PageHead } from "../../parts/PageHead";
import { Answered, Empty, Waiting } from "../../parts/States";
import classes from "./Compare.module.css";
import { useChoice } from "./Models";
import { speedText } from "./speed";
import { difference, runCost, type Typical, useTypical } from "./typical";
import { MOST_COMPARED } from "./wanted";

/** Up to four models side by side, each with what a run of yours would cost. */
export default function Compare() {
  const models = useModels();
  const typical = useTypical();
  const [search, setSearch] = useAddress();
  const targets = [...new Set(search.getAll("m"))].slice(0, MOST_COMPARED);
  const show = (next: (now: readonly string[]) => readonly string[]) =>
    setSearch((now) => new URLSearchParams(next(now.getAll("m")).map((target) => ["m", target])));
  return (
    <>
      <PageHead
        title="Compare models"
        action={
          <Button
            component={Link}
            to={`/models?${new URLSearchParams(targets.map((target) => ["m", target]))}`}
            variant="default"
          >
            All models
          </Button>
        }
      />
      <Answered query={models} waiting={<Waiting rows={8} />}>
        {(all) => (
          <Answered query={typical}>
            {(run) => (
              <>
                <Side
                  models={targets
                    .map((target) => all.find((one) => one.target === target))
                    .filter((one) => one !== undefined)}
                  all={all}
                  typical={run}
                  drop={(target) => show((now) => now.filter((one) => one !== target))}
                />
                {targets.length < MOST_COMPARED && (
                  <Box maw={420} mt="md">
                    <ModelPicker
                      key={targets.join()}
                      label="Add a model"
                      value={null}
                      all
                      choose={(target) => show((now) => [...now, target])}
                      fits={(model) => !targets.includes(model.target)}
                    />
                  </Box>
                )}
              </>
            )}
          </Answered>
        )}
      </Answered>
    </>
  );
}

function Side({
  models,
  all,
  typical,
  drop,
}: {
  models: readonly Model[];
  all: readonly Model[];
  typical: Typical;
  drop: (target: string) => void;
}) {
  const chosen = useDefaultModel().data ?? null;
  const use = useChoice();
  const mine = all.find((one) => one.target === chosen);
  if (models.length === 0) {
    return <Empty title="Nothing to compare yet">Choose up to four models; each is shown beside the others.</Empty>;
  }
  const rows: [string, (model: Model) => ReactNode][] = [
    ["Provider", (model) => model.providerName],
    ["In, per 1M tokens", (model) => <PricePer1M nanoUsd={model.price?.input} model={model} />],
    ["Out, per 1M tokens", (model) => <PricePer1M nanoUsd={model.price?.output} model={model} />],
    ["A typical run", (model) => <Run model={model} typical={typical} />],
    ["Beside your default", (model) => <Beside model={model} mine={mine} typical={typical} />],
    ["Context", (model) => <Size size={model.context} />],
    ["Max output", (model) => <Size size={model.maxOutput} />],
    ["Abilities", (model) => (model.does.length === 0 ? "unknown" : <Abilities does={model.does} />)],
    ["Speed, measured here", (model) => speedText(model) ?? <span className="quiet">not measured yet</span>],
    ["First word, here", (model) => (model.firstMs === null ? "–" : duration(model.firstMs))],
  ];
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard */}
      <section className={classes.wide} tabIndex={0} aria-label="Comparison, scrolls sideways">
        <table className={classes.compare}>
          <thead>
            <tr>
              <td />
              {models.map((model) => (
                <th key={model.target} scope="col">
                  <Group gap={4} wrap="nowrap" justify="space-between" align="flex-start">
                    <span>{model.id}</span>
                    <ActionIcon
                      variant="subtle"
                      color="gray"
                      size="sm"
                      aria-label={`Take ${model.target} out`}
                      onClick={() => drop(model.target)}
                    >
                      <IconX size={14} aria-hidden />
                    </ActionIcon>
                  </Group>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(([name, cell]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                {models.map((model) => (
                  <td key={model.target} className="figures">
                    {cell(model)}
                  </td>
                ))}
              </tr>
            ))}
            <tr>
              <th scope="row">Use</th>
              {models.map((model) => (
                <td key={model.target}>
                  <Choose model={model} chosen={model.target === chosen} use={use} />
                </td>
              ))}
            </tr>
          </tbody>
        </table>
      </section>
      <Text size="sm" className="quiet" mt="xs">
        A typical run is {count(typical.input)} tokens in and {count(typical.output)} out:{" "}
        {typical.own === null
          ? "a guess, until you have some runs of your own."
          : `the mean of your ${count(typical.own)} runs of the last 30 days.`}
        {chosen === null && " You have no default of your own: Ownkey chooses, and nothing stands beside it."}
      </Text>
    </>
  );
}

function Run({ model, typical }: { model: Model; typical: Typical }) {
  if (model.free) return "free";
  const cost = runCost(model, typical);
  return cost === null ? <span className="quiet">unknown</span> : <Money nanoUsd={cost} about />;
}

function Beside({ model, mine, typical }: { model: Model; mine: Model | undefined; typical: Typical }) {
  if (mine === undefined) return <span className="quiet">–</span>;
  if (model.target === mine.target) return "your default";
  const [cost, other] = [runCost(model, typical), runCost(mine, typical)];
  return cost === null || other === null ? <span className="quiet">unknown</span> : difference(cost, other);
}

function Size({ size }: { size: number | null }) {
  return size === null ? (
    <span className="quiet">unknown</span>
  ) : (
    <span title={`${count(size)} tokens`}>{tokens(size)}</span>
  );
}

function Choose({ model, chosen, use }: { model: Model; chosen: boolean; use: (model: Model) => void }) {
  if (chosen) return <span className="quiet">In use</span>;
  if (model.lack !== null) {
    return (
      <Anchor component={Link} to={`/settings/byok/${encodeURIComponent(model.provider)}`} size="sm">
        Connect {model.providerName}
      </Anchor>
    );
  }
  return (
    <Button size="xs" onClick={() => use(model)} aria-label={`Use this model: ${model.target}`}>
      Use this model
    </Button>
  );
}
