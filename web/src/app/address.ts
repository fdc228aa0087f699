import { useState } from "react";
import { useSearchParams } from "react-router";

/** What stands in the address after its path, and what changes it: seen at once, and made of what stands there by then.
 *
 * The router draws a change when it has the time, and hands to a setter what it drew last: of two quick changes it
 * would lose the first. */
export function useAddress(): [URLSearchParams, (change: (now: URLSearchParams) => URLSearchParams) => void] {
  const [drawn, set] = useSearchParams();
  const [ahead, setAhead] = useState({ of: drawn, is: drawn });
  const change = (become: (now: URLSearchParams) => URLSearchParams) => {
    const next = become(new URLSearchParams(window.location.search));
    setAhead({ of: drawn, is: next });
    set(next, { replace: true });
  };
  return [ahead.of === drawn ? ahead.is : drawn, change];
}
