import { useCallback, useEffect, useRef, useState } from "react";
import { type BatchQuote, dropFile, keepFile, quoteBatch } from "./gateway";

export interface Priced {
  readonly file: string;
  readonly quote: BatchQuote;
}

/** A file that is kept at the gateway while it is looked at, with what it would cost. It is let go with the view, but
 * for one of which a batch was begun: that is said with `begun`. */
export function usePriced(file: File | null, endpoint: string | null) {
  const [priced, setPriced] = useState<Priced | null>(null);
  const [error, setError] = useState<unknown>(null);
  const used = useRef<string>(undefined);
  useEffect(() => {
    setPriced(null);
    setError(null);
    if (!file || !endpoint) return;
    let kept: string | undefined;
    let left = false;
    const drop = () => {
      if (kept !== undefined && kept !== used.current) dropFile(kept).catch(() => undefined);
    };
    const look = async () => {
      kept = (await keepFile(file)).id;
      if (left) return drop();
      const quote = await quoteBatch(kept, endpoint);
      if (!left) setPriced({ file: kept, quote });
    };
    look().catch((failed: unknown) => left || setError(failed));
    return () => {
      left = true;
      drop();
    };
  }, [file, endpoint]);
  const begun = useCallback((id: string) => {
    used.current = id;
  }, []);
  return { priced, error, begun };
}
