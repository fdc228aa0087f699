import { Alert, Anchor, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, told } from "../../api/client";
import { When } from "../../parts/Figures";
import { State } from "../../parts/State";
import { Answered } from "../../parts/States";
import classes from "./Settings.module.css";

/** How this Ownkey is, and what was agreed to. */
export function About() {
  const status = useQuery({ queryKey: ["status"], queryFn: () => told(api.GET("/api/byok/status")) });
  const steps = useQuery({ queryKey: ["onboarding"], queryFn: () => told(api.GET("/api/byok/onboarding")) });
  return (
    <Stack maw={640} gap="lg">
      <section className="card" aria-labelledby="status">
        <Title order={2} id="status" mb="sm">
          This Ownkey
        </Title>
        <Answered query={status}>
          {(found) => (
            <Stack gap="xs">
              <Text>Version {found.version}</Text>
              {found.vault.state === "open" ? (
                <State tone="good">the vault is open</State>
              ) : (
                <Alert color="red" title="The vault is sealed">
                  {found.vault.why} {found.vault.hint}
                </Alert>
              )}
              <Text className="quiet">
                <Anchor component={Link} to="/connect" underline="always">
                  {found.base_url}
                </Anchor>{" "}
                is what programs are pointed at.
              </Text>
            </Stack>
          )}
        </Answered>
      </section>
      <section className="card" aria-labelledby="agreement">
        <Title order={2} id="agreement" mb="sm">
          The agreement
        </Title>
        <Answered query={steps}>
          {({ agreement }) => (
            <>
              <Text className="quiet" mb="sm">
                Version {agreement.version}, {agreement.date}.{" "}
                {agreement.accepted ? (
                  <>
                    You accepted{" "}
                    {agreement.accepted.version === agreement.version ? "it" : `version ${agreement.accepted.version}`}{" "}
                    <When ms={agreement.accepted.at_ms} />.
                  </>
                ) : (
                  <Anchor component={Link} to="/welcome" underline="always">
                    Not accepted yet
                  </Anchor>
                )}
              </Text>
              <div className={classes.agreement}>{agreement.text}</div>
            </>
          )}
        </Answered>
      </section>
    </Stack>
  );
}
