import { Anchor, Button, Stack, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Shape } from "../../api/client";
import { useKeeper } from "../../app/session";
import { Failed } from "../../parts/States";
import { addFromGallery } from "./data";
import { many } from "./tested";

export type Offer = Shape<"GalleryOneShape">;

/** What is known of a provider that waits in the gallery, and the step that adds it. */
export function FromGallery({ offer }: { offer: Offer }) {
  const keeper = useKeeper();
  const queries = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const add = async () => {
    setBusy(true);
    setError(null);
    try {
      await addFromGallery(queries, offer.id);
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <Stack>
      <Text>
        {offer.kind === "cloud" ? `${offer.name} is asked at` : `${offer.name} is a server of your own, at`}{" "}
        <code style={{ overflowWrap: "anywhere" }}>{offer.base_url}</code>. {offerSays(offer)}
      </Text>
      {offer.key_page && (
        <Text>
          <Anchor href={offer.key_page} target="_blank" rel="noopener noreferrer">
            Make a key at {offer.name}
          </Anchor>
        </Text>
      )}
      {error !== null && <Failed error={error} compact />}
      {keeper ? (
        <div>
          <Button loading={busy} onClick={() => void add()}>
            Add {offer.name}
          </Button>
        </div>
      ) : (
        <Text className="quiet">Who keeps this Ownkey can add it.</Text>
      )}
    </Stack>
  );
}

/** In a line: whether it costs, whether prices are known, whether it wants a key. */
export function offerSays(offer: Pick<Offer, "free" | "prices_known" | "key_required" | "models">): string {
  const said = [
    offer.free ? "Free" : offer.prices_known ? "Prices known" : "Prices unknown",
    offer.key_required ? "needs a key" : "needs no key",
    offer.models.length > 0 ? many(offer.models.length) : "",
  ];
  return `${said.filter(Boolean).join(", ")}.`;
}
