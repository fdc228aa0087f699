import { Anchor, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, type Shape, told } from "../../api/client";
import { ZONE } from "../../api/zone";
import { Bars } from "../../parts/Bars";
import { money, plural } from "../../parts/figures";
import { PageHead } from "../../parts/PageHead";
import { RunList } from "../../parts/RunList";
import { Answered, Waiting } from "../../parts/States";
import { Budgets } from "./Budgets";
import { Dots } from "./Dots";
import { FirstSteps } from "./FirstSteps";
import { Needs } from "./Needs";

type HomeShape = Shape<"HomeShape">;

export default function Home() {
  const home = useQuery({
    queryKey: ["home"],
    queryFn: () => told(api.GET("/api/byok/home", { params: { query: { zone: ZONE } } })),
  });
  return (
    <>
      <PageHead title="Home" />
      <Answered query={home} waiting={<Waiting rows={8} />}>
        {(found) => <Shown home={found} />}
      </Answered>
    </>
  );
}

function Shown({ home }: { home: HomeShape }) {
  const used = home.runs.length > 0 || home.days.some((day) => day.cost_nano > 0);
  return (
    <Stack gap="lg">
      <Sentence home={home} />
      {home.needs.length > 0 && <Needs needs={home.needs} />}
      {!used && <FirstSteps limited={home.budgets.some((budget) => budget.limit !== null)} />}
      {used && (
        <section className="card" aria-labelledby="days">
          <Title order={2} id="days" mb="sm">
            The last 30 days
          </Title>
          <Bars
            title="What each of the last 30 days cost"
            bars={home.days.map((day) => ({ label: dayOf(day.day), parts: { Spent: day.cost_nano } }))}
            said={money}
          />
        </section>
      )}
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg">
        <Budgets budgets={home.budgets} />
        <Dots dots={home.health} />
      </SimpleGrid>
      {home.runs.length > 0 && (
        <section className="card" aria-labelledby="last">
          <Title order={2} id="last" mb="sm">
            Last runs
          </Title>
          <RunList runs={home.runs} />
          <Anchor component={Link} to="/usage" size="sm" mt="sm" display="inline-block">
            See all usage
          </Anchor>
        </section>
      )}
    </Stack>
  );
}

/** The month in a sentence. */
function Sentence({ home }: { home: HomeShape }) {
  const { outlook, limit } = home;
  return (
    <div>
      <Text fz={22} lh={1.35} className="figures" data-sentence>
        You have spent <b>{money(home.month_nano)}</b> this month.
        {outlook && home.month_nano > 0 && (
          <>
            {" "}
            You're on track for <b>{money(outlook.expected_nano)}</b>
            {outlook.low_nano < outlook.high_nano && (
              <>
                , between {money(outlook.low_nano)} and {money(outlook.high_nano)}
              </>
            )}
            .
          </>
        )}
      </Text>
      <Text className="quiet" mt={4}>
        {[
          home.pending_nano > 0 && `${money(home.pending_nano)} more is held for what runs just now.`,
          limit && `${money(limit.left_nano)} of ${money(limit.limit_nano)} is left of “${limit.name}”.`,
          home.unpriced > 0 &&
            `${plural(home.unpriced, "try has", "tries have")} a price that nobody knows, and ${home.unpriced === 1 ? "is" : "are"} not in this.`,
        ]
          .filter(Boolean)
          .join(" ")}
      </Text>
    </div>
  );
}

function dayOf(iso: string): string {
  const [year, month, day] = iso.split("-").map(Number);
  return new Date(year ?? 0, (month ?? 1) - 1, day).toLocaleDateString("en-GB", { day: "numeric", month: "short" });
}
