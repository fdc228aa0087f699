import { ActionIcon, Anchor, Box, Button, Group, SegmentedControl, Text } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconColumns2, IconHistory, IconPlus, IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Link, Route, Routes, useNavigate, useParams, useSearchParams } from "react-router";
import { api, told } from "../../api/client";
import { useDefaultModel, useModels } from "../../api/models";
import { usePerson } from "../../app/session";
import { Money } from "../../parts/Figures";
import { ModelPicker } from "../../parts/ModelPicker";
import { PageHead } from "../../parts/PageHead";
import { Empty } from "../../parts/States";
import classes from "./Chat.module.css";
import Composer from "./Composer";
import { Earlier, useReopened } from "./Earlier";
import { addLane, begin, belongTo, removeLane, setModel, type Talk, useTalk } from "./store";
import Transcript from "./Transcript";
import { called, MOST_LANES, spentOf } from "./talk";

const DEMO = "demo/demo";
const AUTO = [{ value: "auto", label: called("auto"), says: "the first of your models that can answer" }];

export default function Chat() {
  const person = usePerson();
  const talk = useTalk();
  const narrow = useMediaQuery("(max-width: 48em)") ?? false;
  const [active, setActive] = useState("a");
  useEffect(() => belongTo(person.id), [person.id]);
  useFirstModel(talk);
  const lane = talk.lanes.find((one) => one.id === active) ?? talk.lanes[0];
  const swiped = useSwipe((step) => {
    const at = talk.lanes.findIndex((one) => one.id === lane?.id) + step;
    setActive(talk.lanes[at]?.id ?? active);
  });
  if (person.role === "viewer") return <NotForViewers />;
  if (talk.person !== person.id) return null;
  const lanes = narrow && lane ? [lane] : talk.lanes;
  return (
    <div className={classes.chat}>
      <Head talk={talk} />
      {narrow && talk.lanes.length > 1 && (
        <SegmentedControl
          fullWidth
          mb="sm"
          aria-label="The model that is shown"
          value={lane?.id}
          onChange={setActive}
          data={talk.lanes.map((one, at) => ({
            value: one.id,
            label: called(one.model).split("/").pop() || `Model ${at + 1}`,
          }))}
        />
      )}
      <Lanes talk={talk} shown={lanes.map((one) => one.id)} added={(id) => setActive(id ?? active)} />
      <Box {...(narrow ? swiped : {})} className={classes.said}>
        {talk.turns.length === 0 ? <Beginning talk={talk} /> : <Transcript talk={talk} lanes={lanes} />}
      </Box>
      <Composer talk={talk} />
      <Routes>
        <Route path="earlier" element={<Earlier />} />
        <Route path=":entry" element={<Reopened />} />
        <Route path="*" element={null} />
      </Routes>
    </div>
  );
}

function Head({ talk }: { talk: Talk }) {
  const navigate = useNavigate();
  const terms = useQuery({ queryKey: ["history", "terms"], queryFn: () => told(api.GET("/api/byok/history-terms")) });
  const spent = spentOf(talk.turns);
  const anew = () => {
    begin();
    navigate("/chat");
  };
  return (
    <PageHead
      title="Chat"
      says={
        <>
          {terms.data &&
            (terms.data.keep ? (
              "Chats are kept, encrypted, as your settings say."
            ) : (
              <>
                Nothing said here is kept: it is gone when you close the page.{" "}
                <Anchor component={Link} to="/settings" inherit underline="always">
                  Keep chats
                </Anchor>
              </>
            ))}
          {spent > 0 && (
            <>
              {" "}
              This conversation has cost <Money nanoUsd={spent} />.
            </>
          )}
        </>
      }
      action={
        <Group gap="xs">
          {terms.data?.keep && (
            <Button
              component={Link}
              to="/chat/earlier"
              variant="default"
              leftSection={<IconHistory size={16} aria-hidden />}
            >
              Earlier chats
            </Button>
          )}
          <Button onClick={anew} leftSection={<IconPlus size={16} aria-hidden />} disabled={talk.turns.length === 0}>
            New chat
          </Button>
        </Group>
      }
    />
  );
}

/** The models asked, each with its price; up to four beside each other. */
function Lanes({ talk, shown, added }: { talk: Talk; shown: readonly string[]; added: (lane: string | null) => void }) {
  const several = talk.lanes.length > 1;
  return (
    <div className={classes.lanes} data-count={shown.length}>
      {talk.lanes.map((lane, at) =>
        shown.includes(lane.id) ? (
          <div key={lane.id} className={classes.lane}>
            <ModelPicker
              label={several ? `Model ${at + 1}` : "Model"}
              value={lane.model || null}
              choose={(model) => setModel(lane.id, model)}
              others={AUTO}
            />
            {several && (
              <ActionIcon
                variant="subtle"
                color="gray"
                className={classes.away}
                aria-label={`Remove model ${at + 1}`}
                onClick={() => removeLane(lane.id)}
              >
                <IconX size={16} aria-hidden />
              </ActionIcon>
            )}
          </div>
        ) : null,
      )}
      {talk.lanes.length < MOST_LANES && (
        <Button
          variant="default"
          className={classes.compare}
          leftSection={<IconColumns2 size={16} aria-hidden />}
          onClick={() => added(addLane())}
        >
          Compare
        </Button>
      )}
    </div>
  );
}

function Beginning({ talk }: { talk: Talk }) {
  const demo = talk.lanes.every((lane) => lane.model === DEMO);
  return (
    <Empty title={demo ? "Try it without a key" : "Ask something"}>
      {demo ? (
        <>
          This is the demo: it answers without asking any model, and costs nothing.{" "}
          <Anchor component={Link} to="/settings/byok" inherit underline="always">
            Add a provider
          </Anchor>{" "}
          for real answers.
        </>
      ) : (
        "The price stands under the box as you type, and the exact cost under each answer."
      )}
    </Empty>
  );
}

function NotForViewers() {
  return (
    <>
      <PageHead title="Chat" />
      <Empty title="You may look, not ask">
        A viewer asks no model. Ask an admin to make you a member if you need to.
      </Empty>
    </>
  );
}

function Reopened() {
  const { entry = "" } = useParams();
  const notice = useReopened(entry);
  return <Box aria-live="polite">{notice && <Text className="quiet">{notice}</Text>}</Box>;
}

/** `?model=` chooses; else what is asked where nothing else is said; the demo where nothing is set up. */
function useFirstModel(talk: Talk): void {
  const [given, setGiven] = useSearchParams();
  const wanted = given.get("model");
  const { id, model } = talk.lanes[0] ?? { id: "", model: "" };
  const usual = useDefaultModel();
  const models = useModels();
  const able = models.data !== undefined;
  const real = models.data?.some((one) => one.lack === null && one.target !== DEMO);
  useEffect(() => {
    if (wanted) {
      setModel(id, wanted);
      setGiven({}, { replace: true });
    } else if (!model && able && !usual.isPending) {
      setModel(id, real ? (usual.data ?? "auto") : DEMO);
    }
  }, [id, model, wanted, able, real, usual.isPending, usual.data, setGiven]);
}

const SWIPE_PX = 60;

/** A sweep of the thumb to the next column, or the one before. */
function useSwipe(go: (step: 1 | -1) => void) {
  const [from, setFrom] = useState<{ x: number; y: number } | null>(null);
  return {
    onTouchStart: (event: React.TouchEvent) => {
      const touch = event.touches[0];
      setFrom(touch ? { x: touch.clientX, y: touch.clientY } : null);
    },
    onTouchEnd: (event: React.TouchEvent) => {
      const touch = event.changedTouches[0];
      if (!from || !touch) return;
      const along = touch.clientX - from.x;
      if (Math.abs(along) > SWIPE_PX && Math.abs(along) > 2 * Math.abs(touch.clientY - from.y)) go(along < 0 ? 1 : -1);
    },
  };
}
