import { Button, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { api, told } from "../../api/client";
import { day } from "../../parts/figures";
import { PageHead } from "../../parts/PageHead";
import { Failed } from "../../parts/States";
import { Foot } from "./Foot";
import { agreed, useNote } from "./steps";
import type { Frame } from "./Welcome";
import classes from "./Welcome.module.css";

export function Agreement({ standing, go, back, busy }: Frame) {
  const { agreement } = standing;
  const note = useNote();
  const accepting = useMutation({
    mutationFn: async () => {
      note(await told(api.POST("/api/byok/agreement", { body: { version: agreement.version } })));
      go();
    },
  });
  const { accepted } = agreement;
  return (
    <>
      <PageHead
        title="The agreement"
        says={`Version ${agreement.version}, of ${day(Date.parse(agreement.date))}. You can read it again in Settings.`}
      />
      <section className={`card ${classes.long}`} aria-label="The agreement’s text">
        {agreement.text.split(/\n\s*\n/).map((paragraph, number, all) => (
          <Text key={paragraph} mb={number < all.length - 1 ? "sm" : 0}>
            {paragraph}
          </Text>
        ))}
      </section>
      {accepted && (
        <Text mt="sm" className="quiet">
          You accepted version {accepted.version} on {day(accepted.at_ms)}.
        </Text>
      )}
      {accepting.isError && <Failed error={accepting.error} compact />}
      <Foot back={back}>
        {agreed(standing) ? (
          <Button onClick={() => go()} loading={busy}>
            Go on
          </Button>
        ) : (
          <Button onClick={() => accepting.mutate()} loading={busy || accepting.isPending}>
            Accept and go on
          </Button>
        )}
      </Foot>
    </>
  );
}
