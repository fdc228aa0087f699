import { lazy, type ReactNode, Suspense, useRef, useState } from "react";
import * as figures from "./figures";

const Tip = lazy(() => import("./Tip"));

/** An amount; all its digits on hover. */
export function Money({ nanoUsd, about, most }: { nanoUsd: number | null; about?: boolean; most?: boolean }) {
  if (nanoUsd === null) return <span className="quiet">unknown</span>;
  const said = about ? "about " : most ? "at most " : "";
  return (
    <Hint says={nanoUsd === 0 ? null : figures.exactMoney(nanoUsd)}>
      {said}
      {figures.money(nanoUsd)}
    </Hint>
  );
}

export function Tokens({ count }: { count: number }) {
  return <Hint says={count < 1000 ? null : `${figures.count(count)} tokens`}>{figures.tokens(count)}</Hint>;
}

/** A moment, as one says it; with its zone on hover. */
export function When({ ms }: { ms: number }) {
  return (
    <Hint says={figures.exactTime(ms)} plain>
      <time dateTime={new Date(ms).toISOString()}>{figures.ago(ms)}</time>
    </Hint>
  );
}

/** What more there is to say, while it is pointed at. What draws that comes when it is wanted first: hundreds of these
 * may be in a view. */
function Hint({ says, plain, children }: { says: string | null; plain?: boolean; children: ReactNode }) {
  const at = useRef<HTMLSpanElement>(null);
  const [pointed, setPointed] = useState(false);
  return (
    <>
      <span
        ref={at}
        className={plain ? undefined : "figures"}
        onPointerEnter={() => setPointed(true)}
        onPointerLeave={() => setPointed(false)}
      >
        {children}
      </span>
      {pointed && says !== null && (
        <Suspense fallback={null}>
          <Tip says={says} at={at} />
        </Suspense>
      )}
    </>
  );
}
