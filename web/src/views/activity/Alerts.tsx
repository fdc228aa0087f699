import { Anchor, Button, Code, Group, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, type Shape, told } from "../../api/client";
import { useKeeper, usePerson } from "../../app/session";
import { When } from "../../parts/Figures";
import { State } from "../../parts/State";
import { Answered, Empty, Failed } from "../../parts/States";
import classes from "./Activity.module.css";

type Alert = Shape<"AlertShape">;

/** What was told, when it is told, and where to. */
export function Alerts() {
  const sees = usePerson().role !== "member";
  const alerts = useQuery({
    queryKey: ["alerts"],
    queryFn: () => told(api.GET("/api/byok/alerts", { params: { query: { seen: true } } })),
  });
  return (
    <Stack gap="lg">
      <Answered query={alerts}>
        {({ alerts: found }) =>
          found.length === 0 ? (
            <Empty title="No alert">
              You are told when a budget nears its limit, a key stops working, a price changes, or a day costs far more
              than others.
            </Empty>
          ) : (
            <List alerts={found} />
          )
        }
      </Answered>
      <Rules />
      {sees && <Channels />}
    </Stack>
  );
}

function List({ alerts }: { alerts: readonly Alert[] }) {
  const queries = useQueryClient();
  const unseen = alerts.filter((alert) => alert.seen_at_ms === null).map((alert) => alert.id);
  const seeing = useMutation({
    mutationFn: () => api.POST("/api/byok/alerts/seen", { body: { ids: unseen } }),
    onSuccess: () => Promise.all(["alerts", "home"].map((name) => queries.invalidateQueries({ queryKey: [name] }))),
  });
  return (
    <section>
      <Group justify="space-between" mb="sm">
        <Text>{unseen.length > 0 ? `${unseen.length} not seen yet` : "All seen"}</Text>
        {unseen.length > 0 && (
          <Button variant="default" size="xs" loading={seeing.isPending} onClick={() => seeing.mutate()}>
            Mark all as seen
          </Button>
        )}
      </Group>
      {seeing.isError && <Failed error={seeing.error} compact />}
      <ol className={`card ${classes.trail}`}>
        {alerts.map((alert) => (
          <li key={alert.id}>
            <div>
              <Text style={{ overflowWrap: "anywhere" }} fw={alert.seen_at_ms === null ? 600 : 400}>
                {alert.message}
              </Text>
              {alert.budget_id && (
                <Anchor component={Link} to={`/budgets/${encodeURIComponent(alert.budget_id)}`} size="sm">
                  Open the budget
                </Anchor>
              )}
            </div>
            <Text size="sm" className="quiet" style={{ whiteSpace: "nowrap" }}>
              <When ms={alert.at_ms} />
            </Text>
          </li>
        ))}
      </ol>
    </section>
  );
}

function Rules() {
  const rules = useQuery({ queryKey: ["alerts", "rules"], queryFn: () => told(api.GET("/api/byok/alerts/rules")) });
  return (
    <section className="card" aria-labelledby="rules">
      <Title order={2} id="rules" mb="xs">
        When you are told
      </Title>
      <Answered query={rules}>
        {({ rules: found, thresholds }) => (
          <>
            <ul className={classes.trail}>
              {found.map((rule) => (
                <li key={rule.kind}>
                  <Text>{rule.says}</Text>
                  <State tone={rule.wanted ? "good" : "quiet"}>{rule.wanted ? "on" : "off"}</State>
                </li>
              ))}
            </ul>
            {thresholds.map((one) => (
              <Text key={one.budget_id} size="sm" className="quiet">
                <Anchor
                  component={Link}
                  to={`/budgets/${encodeURIComponent(one.budget_id)}`}
                  size="sm"
                  underline="always"
                >
                  {one.name}
                </Anchor>
                {one.alert_percent === null
                  ? ": when all of it is spent"
                  : `: at ${one.alert_percent} % and when all of it is spent`}
              </Text>
            ))}
          </>
        )}
      </Answered>
    </section>
  );
}

/** Where alerts are sent besides. */
function Channels() {
  const keeper = useKeeper();
  const channels = useQuery({
    queryKey: ["alerts", "channels"],
    queryFn: () => told(api.GET("/api/byok/alerts/channels")),
  });
  const testing = useMutation({ mutationFn: () => told(api.POST("/api/byok/alerts/test")) });
  return (
    <section className="card" aria-labelledby="channels">
      <Title order={2} id="channels" mb="xs">
        Where they are sent
      </Title>
      <Answered query={channels}>
        {({ channels: found, settings }) => (
          <Stack gap="xs">
            {found.length === 0 && (
              <Text className="quiet">
                Nowhere but here. A webhook or a mail server is named in the settings:{" "}
                {settings.map((name) => (
                  <Code key={name} className={classes.setting}>
                    {name}
                  </Code>
                ))}
              </Text>
            )}
            {found.map((one) => (
              <Text key={`${one.kind} ${one.shown}`} style={{ overflowWrap: "anywhere" }}>
                {one.kind === "webhook" ? "Webhook" : "E-mail"}: {one.shown}
              </Text>
            ))}
            {keeper && found.length > 0 && (
              <Button variant="default" w="fit-content" loading={testing.isPending} onClick={() => testing.mutate()}>
                Send a test
              </Button>
            )}
            <div role="status" aria-live="polite">
              {testing.data?.told.map((one) => (
                <State key={one.channel} tone={one.error === null ? "good" : "bad"}>
                  {one.error === null ? `${one.channel} took it` : `${one.channel}: ${one.error}`}
                </State>
              ))}
            </div>
            {testing.isError && <Failed error={testing.error} compact />}
          </Stack>
        )}
      </Answered>
    </section>
  );
}
