import { lazy, Suspense, useEffect, useState } from "react";
import { proveBy } from "../api/client";

const ProofSheet = lazy(() => import("./ProofSheet"));

/** Asks who it is once more, where what is about to be done wants that; then it is done. */
export function Proof() {
  const [answer, setAnswer] = useState<((shown: boolean) => void) | null>(null);
  useEffect(() => {
    proveBy(() => new Promise<boolean>((resolve) => setAnswer(() => resolve)));
    return () => proveBy(null);
  }, []);
  if (answer === null) return null;
  const end = (shown: boolean) => {
    answer(shown);
    setAnswer(null);
  };
  return (
    <Suspense fallback={null}>
      <ProofSheet end={end} />
    </Suspense>
  );
}
