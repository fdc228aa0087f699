import { Anchor, Badge, Button, Group, Text, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "react-router";
import { type Model, makeDefault, useDefaultModel, useModels } from "../../api/models";
import { asProblem } from "../../api/problem";
import { contextText, priceText } from "../../parts/ModelFacts";
import { useSay } from "../../parts/Said";
import type { Provider } from "./data";
import classes from "./Providers.module.css";

const FIRST = 5;

/** What its keys open: its own default first, each with its price, and one step to use it. */
export function ItsModels({ provider }: { provider: Provider }) {
  const models = useModels();
  const chosen = useDefaultModel();
  const queries = useQueryClient();
  const say = useSay();
  const using = useMutation({
    mutationFn: (model: Model) => makeDefault(queries, model.target),
    onSuccess: (_, model) => say(`${model.target} is your default from now on.`),
    onError: (error) => say(`Your default is as it was. ${asProblem(error).said}`),
  });
  const its = (models.data ?? []).filter((one) => one.provider === provider.id && !one.retired);
  const first = [...its].sort((one, other) => Number(other.providersDefault) - Number(one.providersDefault));
  if (its.length === 0) return null;
  return (
    <section aria-labelledby="its-models">
      <Title order={2} id="its-models" mb="xs">
        Models
      </Title>
      <ul className={classes.rows}>
        {first.slice(0, FIRST).map((model) => (
          <li key={model.id}>
            <Group justify="space-between" wrap="nowrap" gap="xs">
              <div style={{ overflowWrap: "anywhere" }}>
                {model.id}{" "}
                {model.providersDefault && (
                  <Badge size="sm" tt="none">
                    Default
                  </Badge>
                )}
                <p className={`${classes.terms} figures`}>
                  {priceText(model)}
                  {model.price && !model.free && " per 1M tokens, in / out"} · {contextText(model)}
                </p>
              </div>
              {model.target === chosen.data ? (
                <Text size="sm" className="quiet">
                  In use
                </Text>
              ) : (
                <Button
                  size="xs"
                  variant="default"
                  style={{ flexShrink: 0 }}
                  disabled={model.lack !== null}
                  loading={using.isPending && using.variables.target === model.target}
                  onClick={() => using.mutate(model)}
                  aria-label={`Use this model: ${model.id}`}
                >
                  Use this model
                </Button>
              )}
            </Group>
          </li>
        ))}
      </ul>
      <Anchor component={Link} to={`/models?provider=${encodeURIComponent(provider.id)}`} size="sm">
        {its.length > FIRST ? `All ${its.length} models` : "Compare with others"}
      </Anchor>
    </section>
  );
}
