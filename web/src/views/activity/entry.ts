import { IconHistory } from "@tabler/icons-react";
import type { View } from "../../app/view";

export default {
  path: "/activity/*",
  title: "Activity",
  icon: IconHistory,
  rail: 9,
  found: ["audit", "who did what", "alerts", "verify", "webhook"],
  load: () => import("./Activity"),
} satisfies View;
