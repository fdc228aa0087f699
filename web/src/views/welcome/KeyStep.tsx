import { Anchor, Button, Select, Stack, Text } from "@mantine/core";
import { useState } from "react";
import type { Shape } from "../../api/client";
import { duration } from "../../parts/figures";
import { PageHead } from "../../parts/PageHead";
import { State } from "../../parts/State";
import { Answered } from "../../parts/States";
import { useGallery, useProviders } from "../providers/data";
import { Foot } from "./Foot";
import { KeyForm } from "./KeyForm";
import { FIRST, type Place, placesOf } from "./places";
import type { Frame } from "./Welcome";

type Stored = Shape<"StoredShape">;

export function KeyStep({ standing, go, back, busy }: Frame) {
  const [stored, setStored] = useState<Stored | null>(null);
  const [another, setAnother] = useState(false);
  const has = (stored !== null || standing.has_key) && !another;
  return (
    <>
      <PageHead
        title="Your first key"
        says="With it, Ownkey asks the provider for you. The provider bills you, as ever."
      />
      {has ? (
        <Stack gap="sm" align="flex-start">
          {stored ? <Taken stored={stored} /> : <State tone="good">You have a key already.</State>}
          <Button variant="subtle" size="xs" onClick={() => setAnother(true)}>
            Add another key
          </Button>
        </Stack>
      ) : (
        <ChooseAndEnter
          saved={(one) => {
            setStored(one);
            setAnother(false);
          }}
        />
      )}
      <Foot back={back}>
        {has ? (
          <Button onClick={() => go()} loading={busy} data-autofocus>
            Go on
          </Button>
        ) : (
          <Button variant="default" onClick={() => go()}>
            Skip
          </Button>
        )}
      </Foot>
    </>
  );
}

/** What the test came to. */
export function Taken({ stored }: { stored: Stored }) {
  const { key, asked, took_ms, models, says } = stored;
  return (
    <Stack gap={4} role="status">
      <State tone={says ? "warn" : "good"}>{`The key ${key.masked} is saved.`}</State>
      {asked && took_ms !== null && (
        <Text size="sm" className="quiet figures">
          Asked {asked}: {duration(took_ms)}
          {models !== null && `, ${models} models`}.
        </Text>
      )}
      {says && <Text size="sm">{says}</Text>}
    </Stack>
  );
}

/** Gemini first, for it has a free tier; the others once they are asked for: `open`, from the beginning. */
export function ChooseAndEnter({ saved, open = false }: { saved: (stored: Stored) => void; open?: boolean }) {
  const [others, setOthers] = useState(open);
  const [chosen, setChosen] = useState<string | null>(null);
  const providers = useProviders();
  const gallery = useGallery(others);
  return (
    <Answered query={providers}>
      {(found) => {
        const places = placesOf(found.providers, gallery.data ?? []);
        const place = others ? places.find((one) => one.id === chosen) : places[0];
        return (
          <Stack gap="md">
            {others ? (
              <ProviderSelect places={places} chosen={chosen} choose={setChosen} />
            ) : (
              <Text>
                {place?.id === FIRST && "Google Gemini has a free tier: a key takes a minute, and no card. "}
                <Anchor component="button" type="button" onClick={() => setOthers(true)}>
                  I have another provider’s key
                </Anchor>
              </Text>
            )}
            {place && <KeyForm key={place.id} place={place} saved={saved} />}
          </Stack>
        );
      }}
    </Answered>
  );
}

function ProviderSelect(props: { places: Place[]; chosen: string | null; choose: (id: string | null) => void }) {
  return (
    <Select
      label="Provider"
      placeholder="Whose key is it?"
      data={props.places.map((one) => ({ value: one.id, label: one.name }))}
      value={props.chosen}
      onChange={props.choose}
      searchable
      nothingFoundMessage="No provider is called that. You can add your own under Providers."
      maxDropdownHeight={320}
    />
  );
}
