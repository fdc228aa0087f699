import { Tooltip } from "@mantine/core";
import type { RefObject } from "react";

/** Words beside something, as long as this is there. */
export default function Tip({ says, at }: { says: string; at: RefObject<HTMLElement | null> }) {
  return <Tooltip label={says} target={at} opened />;
}
