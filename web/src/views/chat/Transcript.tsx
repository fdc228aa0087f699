import { useEffect, useRef } from "react";
import classes from "./Chat.module.css";
import { busy, type Talk } from "./store";
import TakeView from "./TakeView";
import { type Lane, lastStep, shownTake, type Turn } from "./talk";
import { chargedText } from "./told";

const NEAR_PX = 160;

export default function Transcript({ talk, lanes }: { talk: Talk; lanes: readonly Lane[] }) {
  useStayAtEnd(talk);
  return (
    <>
      {talk.turns.map((turn, at) => (
        <section key={turn.id} className={classes.turn} aria-label={`Question ${at + 1}`}>
          <h2 className="hidden">{`Question ${at + 1}`}</h2>
          <Asked turn={turn} />
          <div className={classes.columns} style={{ "--lanes": lanes.length } as React.CSSProperties}>
            {lanes.map((lane) => (
              <TakeView key={lane.id} turn={turn} lane={lane} alone={talk.lanes.length === 1} />
            ))}
          </div>
        </section>
      ))}
      <Heard talk={talk} />
    </>
  );
}

function Asked({ turn }: { turn: Turn }) {
  const { prompt } = turn;
  return (
    <div className={classes.prompt}>
      {prompt.attached.map((one) =>
        one.url ? (
          <img key={one.id} src={one.url} alt={one.name} className={classes.thumb} />
        ) : (
          <div key={one.id} className="quiet">
            {one.name}
          </div>
        ),
      )}
      {prompt.gone?.map((what) => (
        <div key={what} className="quiet">
          {what}
        </div>
      ))}
      {prompt.text}
    </div>
  );
}

/** What a screen reader is told: that an answer comes, and that it is there; not each word. */
function Heard({ talk }: { talk: Talk }) {
  const turn = talk.turns.at(-1);
  const steps = talk.lanes.flatMap((lane) => {
    const take = turn && shownTake(turn, lane.id);
    return (take && lastStep(take)) ?? [];
  });
  const words = steps.map((step) => {
    if (step.state === "coming") return "An answer is coming.";
    if (step.state === "consent") return "You are asked before this goes on.";
    if (step.state === "whole" && step.run !== undefined) return `The answer is complete. ${chargedText(step) ?? ""}`;
    return "";
  });
  return (
    <p className="hidden" role="status">
      {busy(talk) ? "An answer is coming." : words.filter(Boolean).join(" ")}
    </p>
  );
}

/** As an answer grows its end stays in sight, unless the person looks at something above. */
function useStayAtEnd(talk: Talk): void {
  const near = useRef(true);
  const turns = talk.turns.length;
  useEffect(() => {
    const note = () => {
      const { scrollHeight, scrollTop, clientHeight } = document.documentElement;
      near.current = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    };
    window.addEventListener("scroll", note, { passive: true });
    return () => window.removeEventListener("scroll", note);
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new question is always shown
  useEffect(() => {
    near.current = true;
  }, [turns]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: with each word that comes
  useEffect(() => {
    if (near.current) window.scrollTo(0, document.documentElement.scrollHeight);
  }, [talk.turns]);
}
