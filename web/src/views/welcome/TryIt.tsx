import { Alert, Anchor, Button, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, type Shape, told } from "../../api/client";
import { type Preferences, usePreferences } from "../../api/preferences";
import { PageHead } from "../../parts/PageHead";
import { Answered } from "../../parts/States";
import { useProviders } from "../providers/data";
import { Conversation } from "./Conversation";
import { Foot } from "./Foot";
import { ModelChoice } from "./ModelChoice";
import type { Frame } from "./Welcome";

type Provider = Shape<"ProviderShape">;
type Model = Shape<"ModelShape">;

/** First a model, then an answer with its price. */
export function TryIt(frame: Frame) {
  const providers = useProviders();
  const preferences = usePreferences();
  const models = useQuery({ queryKey: ["models"], queryFn: () => told(api.GET("/api/byok/models")) });
  return (
    <Answered query={providers}>
      {(found) => (
        <Answered query={models}>
          {(listed) => (
            <Answered query={preferences}>
              {(wanted) => (
                <Tried
                  providers={found.providers.filter((one) => isReady(one, listed.models))}
                  models={listed.models}
                  wanted={wanted}
                  {...frame}
                />
              )}
            </Answered>
          )}
        </Answered>
      )}
    </Answered>
  );
}

/** Whether it can be asked, and answers as a model does: with a key, or on this machine with models that it told of. */
function isReady(one: Provider, models: readonly Model[]): boolean {
  if (!one.enabled || one.lack !== null || one.kind === "demo") return false;
  return one.keys > 0 || (one.kind === "local" && models.some((model) => model.provider === one.id));
}

function Tried({
  providers,
  models,
  wanted,
  ...frame
}: Frame & { providers: Provider[]; models: Model[]; wanted: Preferences }) {
  const { go, back, busy } = frame;
  const [choosing, setChoosing] = useState(false);
  const [answered, setAnswered] = useState(false);
  const kept = wanted.provider && wanted.models[wanted.provider];
  const chosen = kept && providers.some((one) => one.id === wanted.provider) ? `${wanted.provider}/${kept}` : null;
  if (providers.length === 0) return <WithoutKey {...frame} />;
  if (chosen === null || choosing) {
    return (
      <>
        <PageHead
          title="Choose a model"
          says="You can ask any other at any time. Prices are per 1M tokens, in and out."
        />
        <ModelChoice
          models={models.filter((model) => providers.some((one) => one.id === model.provider))}
          wanted={wanted}
          taken={() => setChoosing(false)}
        />
        <Foot back={back}>
          <Button variant="default" onClick={() => go()} loading={busy}>
            Skip
          </Button>
        </Foot>
      </>
    );
  }
  return (
    <>
      <PageHead
        title="Try it"
        says="What it will cost stands under your question, and what it did cost under the answer."
      />
      <Conversation
        model={chosen}
        answered={() => setAnswered(true)}
        acts={{
          reenter_key: () => go("key"),
          provider_settings: () => go("key"),
          choose_model: () => setChoosing(true),
          over_budget: () => go("limit"),
        }}
      >
        <Text size="sm" className="quiet">
          You ask <strong>{chosen}</strong>.{" "}
          <Anchor component="button" type="button" size="sm" onClick={() => setChoosing(true)}>
            Use another model
          </Anchor>
        </Text>
      </Conversation>
      <Foot back={back}>
        <Button variant={answered ? "filled" : "default"} onClick={() => go()} loading={busy}>
          Go on
        </Button>
      </Foot>
    </>
  );
}

/** Who skipped the key asks the demo. */
function WithoutKey({ go, back, busy }: Frame) {
  return (
    <>
      <PageHead title="Try it" says="You have no key yet, so the demo answers." />
      <DemoTalk />
      <Foot back={back}>
        <Button variant="default" onClick={() => go("key")}>
          Add a key
        </Button>
        <Button variant="default" onClick={() => go()} loading={busy}>
          Go on
        </Button>
      </Foot>
    </>
  );
}

export function DemoTalk() {
  return (
    <Conversation model="demo/demo">
      <Alert color="gray" variant="light" title="This is the demo">
        Its answers were written beforehand. No model is asked, nothing leaves this machine, and nothing is charged.
      </Alert>
    </Conversation>
  );
}
