import { Anchor, Box, Group, Text } from "@mantine/core";
import { useEffect, useRef } from "react";
import { Link } from "react-router";
import { Proof } from "../../app/Proof";
import { SignedIn } from "../../app/session";
import { Answered, Failed, Waiting } from "../../parts/States";
import { Agreement } from "./Agreement";
import { Begin } from "./Begin";
import { Demo } from "./Demo";
import { KeyStep } from "./KeyStep";
import { Limit } from "./Limit";
import { Mode } from "./Mode";
import { More } from "./More";
import { Privacy } from "./Privacy";
import { Progress } from "./Progress";
import { type At, type Standing, stepsOf, useAt, useMove, useStanding } from "./steps";
import { TryIt } from "./TryIt";
import classes from "./Welcome.module.css";

export default function Welcome() {
  return (
    <SignedIn>
      <header className={classes.head}>
        <Group gap="xs" wrap="nowrap">
          <img src="/favicon.svg" alt="" width={24} height={24} />
          <Text span fw={600}>
            Ownkey
          </Text>
        </Group>
        <Anchor component={Link} to="/" size="sm">
          Finish later
        </Anchor>
      </header>
      <main className={classes.page}>
        <Steps />
      </main>
      <Proof />
    </SignedIn>
  );
}

function Steps() {
  const standing = useStanding();
  return (
    <Answered query={standing} waiting={<Waiting rows={6} />}>
      {(found) => <Frames standing={found} />}
    </Answered>
  );
}

/** What each frame is given: where somebody is, and how they go on, back, or elsewhere. */
export interface Frame {
  standing: Standing;
  busy: boolean;
  /** To the next step, or to that one. */
  go: (to?: At, change?: { mode?: "cloud" | "local" | null; demo?: boolean }) => void;
  back: () => void;
  /** Ends the first steps, at another view. */
  end: (view: string) => void;
}

const DRAWN: Record<At, (frame: Frame) => React.ReactNode> = {
  welcome: Begin,
  privacy: Privacy,
  mode: Mode,
  key: KeyStep,
  limit: Limit,
  agreement: Agreement,
  try: TryIt,
  more: More,
  done: More,
  demo: Demo,
};

function Frames({ standing }: { standing: Standing }) {
  const at = useAt(standing);
  const move = useMove();
  const frame = useRef<HTMLDivElement>(null);
  const before = useRef(at);
  useEffect(() => {
    // Who goes on by keyboard, or hears the page, goes on at the top of what is new.
    if (before.current !== at) frame.current?.focus();
    before.current = at;
  }, [at]);
  const steps = stepsOf(standing);
  const place = at === "demo" ? 0 : steps.indexOf(at);
  const go: Frame["go"] = (to, change = {}) => {
    if (to === "demo") return move.mutate({ change: { demo: true }, view: "/welcome?at=demo" });
    move.mutate({ change: { ...change, step: to ?? steps[place + 1] ?? "more" } });
  };
  const Drawn = DRAWN[at];
  return (
    <>
      <Progress steps={steps} at={at} go={go} />
      <Box ref={frame} tabIndex={-1} className={classes.frame} data-step={at}>
        <Drawn
          key={at}
          standing={standing}
          busy={move.isPending}
          go={go}
          back={() => go(steps[place - 1] ?? "welcome")}
          end={(view) => move.mutate({ change: { done: true }, view })}
        />
        {move.isError && (
          <Box mt="md">
            <Failed error={move.error} compact />
          </Box>
        )}
      </Box>
    </>
  );
}
